"""Inkserve's shared package: labels, preprocessing, networks and the TorchServe handler base.

All of it travels inside every archive, so importing the package itself costs nothing.
"""
