"""From a page to its text: pieces of ink -> lines -> ways to group pieces into characters -> the likeliest -> text.

`find_layout` and `read_layout` are the two halves; between them the network scores all groups at once.
"""

from handwriting.pages.layout import Layout, find_layout
from handwriting.pages.text import Character, Line, read_layout

__all__ = ["Character", "Layout", "Line", "find_layout", "read_layout"]
