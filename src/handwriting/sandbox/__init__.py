"""Decodes in a process of its own, within limits of time and memory, what no check of a header can bound.

`parent` runs in the worker, `child` in the process that it starts.
"""
