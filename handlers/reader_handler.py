"""Serves `reader`: pages of handwriting, as text."""

from handwriting.serving.page_handler import PageHandler


class ReaderHandler(PageHandler):
    """Reads lines of digits and letters with the `characters` network."""

    model = "reader"
    weights_of = "characters"
