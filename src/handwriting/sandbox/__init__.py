"""Decodes in a process of its own, within limits of time and memory, what no check of a header can bound.

`parent` runs in the worker, `server` in a process that it starts, `child` in a fork of that one for each file.
"""
