"""Reads all pictures of a folder or ZIP file: `inkserve batch scans --out results.csv`."""
