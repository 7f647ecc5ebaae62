"""Finds the ink of a picture's characters on any paper, with the ink network: in the whole picture first, then closer.

The network says of each pixel of a view how much of it is ink of a character. It has learned to leave out print, other
marks of the pen, shadows and what lies around the paper; `training.ink` trains it.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnxruntime

from handwriting.errors import InvalidImage
from handwriting.preprocess.frame import SPECK_PX, SPECK_SHARE, Box
from training.ink.windows import VIEW_PX, Window, stretched, view_of, whole

NETWORK = Path(__file__).with_name("ink.onnx")
LOOKS = 3  # at most, each closer than the one before
WIDE_PX, WIDE_VIEW_PX = 400, 128  # larger pictures are first seen in a larger view: writing on them may be small
LARGE_PX = 0.45 * VIEW_PX  # characters of this size in a view need no closer look
ROOM = 1.8  # side of a closer window, in sizes of the characters
SEEN = 0.15  # without a pixel of so much ink, there is none
INKED = 0.35  # a pixel with this share of the most ink is ink
SAME_GREY = 10  # a picture with no larger difference of grey is blank
PART_SHARE = 0.04  # of the largest piece's ink; smaller pieces are noise; the dot of an i has more


class Ink(NamedTuple):
    """The ink of a picture's characters.

    Attributes:
        ink: (side, side) float32 in [0, 1]; 1 is ink.
        window: that it shows, in px of the picture.
    """

    ink: np.ndarray
    window: Window

    @property
    def box(self) -> Box:
        """Left, top, right and bottom of the ink in px of the picture."""
        left, top, width, height = cv2.boundingRect((self.ink > INKED).astype(np.uint8))
        scale = self.window.side / len(self.ink)
        x, y = self.window.left + left * scale, self.window.top + top * scale
        return round(x), round(y), round(x + width * scale), round(y + height * scale)


def find_ink(grey: np.ndarray) -> Ink:
    """Find the ink of the characters in a picture.

    Args:
        grey: (H, W) uint8; 0 is black, 255 is white.

    Raises:
        InvalidImage: there is none, or only a speck.
    """
    if int(grey.max()) - int(grey.min()) <= SAME_GREY:
        raise InvalidImage("the picture is blank: it is the same grey everywhere")
    window, found = whole(grey.shape), None
    for look in range(LOOKS):
        view_px = WIDE_VIEW_PX if look == 0 and window.side > WIDE_PX else VIEW_PX
        ink = characters_in(view_of(grey, window, view_px))
        if ink.max() < SEEN:
            break  # what an earlier, coarser look has found stays
        found = Ink(without_noise(ink / ink.max()), window)
        window = closer(found)
        if view_px == VIEW_PX and window.side * VIEW_PX > ROOM * LARGE_PX * found.window.side:
            break  # it is large in this view
    if found is None:
        raise InvalidImage("the picture is blank: there is no writing on it")
    left, top, right, bottom = found.box
    if max(right - left, bottom - top) < max(SPECK_PX, SPECK_SHARE * min(grey.shape)):
        raise InvalidImage(
            f"the only ink is a speck of {right - left} x {bottom - top} px in a picture of "
            f"{grey.shape[1]} x {grey.shape[0]} px; write larger or crop closer"
        )
    return found


def closer(found: Ink) -> Window:
    """Return a window around the ink that has been found, with room for what was not."""
    left, top, right, bottom = found.box
    side = max(SPECK_PX, round(ROOM * max(right - left, bottom - top)))
    return Window(round((left + right - side) / 2), round((top + bottom - side) / 2), side)


def without_noise(ink: np.ndarray) -> np.ndarray:
    """Keep the ink of pieces that are large enough beside the largest, with their soft edges."""
    count, pieces = cv2.connectedComponents((ink > INKED).astype(np.uint8), connectivity=8)
    masses = np.bincount(pieces.ravel(), weights=ink.ravel(), minlength=count)
    masses[0] = 0
    kept = masses > PART_SHARE * masses.max()
    near = cv2.dilate(kept[pieces].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.where(near & (kept[pieces] | (pieces == 0)), ink, 0).astype(np.float32)


def characters_in(view: np.ndarray) -> np.ndarray:
    """Run the network on an (H, W) float32 grey view, whose sides are multiples of 8.

    Returns:
        (H, W) float32 ink of characters in [0, 1].
    """
    ink: np.ndarray = session().run(None, {"views": stretched(view[None])})[0][0, 0]
    return ink


@cache
def session() -> onnxruntime.InferenceSession:
    """Load the network once for a process. It runs on one thread, as workers are processes that share the cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(NETWORK.read_bytes(), options, providers=["CPUExecutionProvider"])
