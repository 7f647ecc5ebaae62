"""Reading all pictures of a folder or ZIP file: `python -m handwriting.batch scans --out results.csv`."""
