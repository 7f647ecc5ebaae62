"""Training of the recognisers; never part of an archive."""
