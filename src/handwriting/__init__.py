"""What each archive carries: labels, preprocessing, networks, request parsing and the base of the handlers.

This file imports nothing, so that a module costs only what it needs itself.
"""
