"""Serves `digits`: one handwritten digit a picture."""

from handwriting.serving import RecogniserHandler


class DigitsHandler(RecogniserHandler):
    """Reads a digit with the `digits` network."""

    model = "digits"
