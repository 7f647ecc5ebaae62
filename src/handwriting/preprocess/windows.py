"""Square windows of a picture, scaled to the views that the ink network reads."""

from typing import NamedTuple

import cv2
import numpy as np


class Window(NamedTuple):
    """A square of a picture, in px; it may reach beyond the picture."""

    left: int
    top: int
    side: int


def whole(shape: tuple[int, ...]) -> Window:
    """Return the smallest window around a picture of this height and width."""
    side = max(shape)
    return Window((shape[1] - side) // 2, (shape[0] - side) // 2, side)


def border_of(values: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of (H, W) values as one row."""
    return np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])


def cut(image: np.ndarray, window: Window, outside: float, view_px: int) -> np.ndarray:
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
    while min(part.shape) >= 2 * view_px:
        part = halved(part)
    return np.asarray(cv2.resize(part, (view_px, view_px), interpolation=how))


def shown(window: Window, shape: tuple[int, ...], view_px: int) -> tuple[slice, slice]:
    """Return the rows and columns of a window's view that show the picture of this height and width, at least one."""

    def along(start: int, size: int) -> slice:
        first, end = (round(min(max(at - start, 0), window.side) * view_px / window.side) for at in (0, size))
        first = min(first, view_px - 1)
        return slice(first, max(end, first + 1))

    return along(window.top, shape[0]), along(window.left, shape[1])


def beyond_of(inside: tuple[slice, slice], view_px: int) -> np.ndarray:
    """Return (view_px, view_px) float32: 1 beyond the picture, 0 in the rows and columns that show it."""
    beyond = np.ones((view_px, view_px), np.float32)
    beyond[inside] = 0
    return beyond


def halved(image: np.ndarray) -> np.ndarray:
    """Halve the sides of an (H, W) image by area, which OpenCV does forty times as fast as any other reduction."""
    height, width = (max(1, size // 2) for size in image.shape)
    return np.asarray(cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA))
