"""Serves `digits-tiny`: one handwritten digit a picture, by a network a thirtieth the size."""

from handwriting.serving import RecogniserHandler


class DigitsTinyHandler(RecogniserHandler):
    """Reads a digit with the `digits-tiny` network."""

    model = "digits-tiny"
