"""Measures what the server does: how well it reads, how fast, and what it survives."""
