"""Drawings with their right labels, kept to learn from."""
