"""Accuracy of the recognisers over HTTP, on the official test sets and on composed pages."""
