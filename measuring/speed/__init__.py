"""How well and how fast, on pages and loads that are made here."""
