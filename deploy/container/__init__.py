"""Inkserve in containers: the server's entry point, images, and one host with Compose."""
