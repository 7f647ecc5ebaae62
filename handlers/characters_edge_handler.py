"""Serves `characters-edge`: one handwritten digit or letter a picture, by a network for small devices."""

from handwriting.serving import RecogniserHandler


class CharactersEdgeHandler(RecogniserHandler):
    """Reads a digit or letter with the `characters-edge` network."""

    model = "characters-edge"
