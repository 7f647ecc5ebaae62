"""The project's own handwriting and the mouse that writes it on the Draw page."""

from examples.browser import canvas, draw, launch, picture_of_canvas
from examples.digits import DIGIT_STROKES

__all__ = ["DIGIT_STROKES", "canvas", "draw", "launch", "picture_of_canvas"]
