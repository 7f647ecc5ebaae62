"""Serves `lenet5`: one handwritten digit a picture, by the network of 1998."""

from handwriting.serving import RecogniserHandler


class LeNet5Handler(RecogniserHandler):
    """Reads a digit with LeNet-5."""

    model = "lenet5"
