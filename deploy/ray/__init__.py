"""Reads millions of pictures on many machines with Ray: docs/bulk.md."""
