"""Square windows of a picture, as the ink network reads them."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from handwriting.preprocess.paper import border_of

VIEW_PX = 64
FAINTEST = 0.02  # standard deviation of grey; a view with less is not stretched to 1, as it shows only grain


class Window(NamedTuple):
    """A square of a picture, in px; it may reach beyond the picture."""

    left: int
    top: int
    side: int


def whole(shape: tuple[int, ...]) -> Window:
    """Return the smallest window around a picture of this height and width."""
    side = max(shape)
    return Window((shape[1] - side) // 2, (shape[0] - side) // 2, side)


def cut(image: np.ndarray, window: Window, outside: float, view_px: int = VIEW_PX) -> np.ndarray:
    """Cut a window out of an image and scale it, by area where it becomes smaller.

    Args:
        image: (H, W) of any number.
        window: in px of the image.
        outside: value beyond the image.
        view_px: side of the result.

    Returns:
        (view_px, view_px) of the same type.
    """
    height, width = image.shape
    left, top, side = window
    right, bottom = left + side, top + side
    part = image[max(0, top) : bottom, max(0, left) : right]
    beyond = (max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width))
    if any(beyond):
        part = cv2.copyMakeBorder(part, *beyond, cv2.BORDER_CONSTANT, value=outside)
    how = cv2.INTER_AREA if side > view_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (view_px, view_px), interpolation=how))


def view_of(grey: np.ndarray, window: Window, view_px: int = VIEW_PX) -> np.ndarray:
    """Return a window of (H, W) uint8 grey as float32 in [0, 1]; beyond the picture lies the grey of its border."""
    return cut(grey, window, float(np.median(border_of(grey))), view_px) / np.float32(255)


def stretched(views: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Turn (N, side, side) grey views into input of the network: (N, 1, side, side), with mean 0 and deviation 1."""
    stacked = np.asarray(views, np.float32)[:, None]
    level = stacked.mean(axis=(2, 3), keepdims=True)
    return np.asarray((stacked - level) / (stacked.std(axis=(2, 3), keepdims=True) + FAINTEST), np.float32)
