"""Reading all pictures of a folder or ZIP file: `python -m inkserve.batch scans --out results.csv`."""
