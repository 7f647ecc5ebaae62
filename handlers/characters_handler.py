"""Serves `characters`: one handwritten digit or letter a picture."""

from handwriting.serving import RecogniserHandler


class CharactersHandler(RecogniserHandler):
    """Reads a digit or letter with the `characters` network."""

    model = "characters"
