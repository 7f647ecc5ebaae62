"""Reads a page: pieces of ink -> lines -> groups of pieces that may be characters -> the most likely groups -> text.

`find_layout` finds the groups, the network scores all of them at once, and `read_layout` makes the text.
"""

from handwriting.pages.layout import Layout, find_layout
from handwriting.pages.text import Character, Line, read_layout

__all__ = ["Character", "Layout", "Line", "find_layout", "read_layout"]
