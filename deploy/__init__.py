"""Packs archives, and runs and monitors Inkserve on this machine."""
