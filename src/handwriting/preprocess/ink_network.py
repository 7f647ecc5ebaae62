"""Runs the ink network, which says of each pixel of a view how much of it is ink of a character.

It has learned to leave out print, other marks of the pen, shadows and what lies around the paper; `training.ink` trains
it. ONNX Runtime runs it, as the dashboard prepares pictures without PyTorch.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnxruntime

NETWORK = Path(__file__).with_name("ink.onnx")
VIEW_PX = 64  # side of the views that it has learned from
INPUTS = 3  # of each pixel, as `stretched` makes them
GRAIN = 0.02  # of grey, as a standard deviation; a view with little more shows only grain, and keeps it small
NEAR_PX, NEAR_GRAIN = 17, 0.03  # the same of what is near by


class Seen(NamedTuple):
    """What the network sees in a view, (H, W) float32 in [0, 1] each.

    Attributes:
        ink: of characters.
        marks: of the pen, such as underlines and strokes of characters that are cut off.
        darkness: against what is near by, in its deviations; light ink counts as dark.
    """

    ink: np.ndarray
    marks: np.ndarray
    darkness: np.ndarray


def look_at(view: np.ndarray, beyond: np.ndarray) -> Seen:
    """Run the network on a view.

    Args:
        view: (H, W) float32 grey in [0, 1], of any contrast; the sides are multiples of 8.
        beyond: (H, W) float32, 1 beyond the picture, otherwise 0.
    """
    inputs = stretched(view[None], beyond)
    [(ink, marks)] = run(inputs)
    return Seen(ink, marks, -inputs[0, 1])


def look_at_all(views: np.ndarray) -> np.ndarray:
    """Run the network on (N, H, W) float32 views within a picture: (N, 2, H, W) float32 in [0, 1], ink and marks."""
    return run(stretched(views, 0))


def run(inputs: np.ndarray) -> np.ndarray:
    """Run the network on what `stretched` makes of views."""
    return np.asarray(session().run(None, {"views": inputs})[0])


def stretched(views: np.ndarray, beyond: np.ndarray | int) -> np.ndarray:
    """Turn views into input of the network: against the whole view, and against what is near by, as shadows differ.

    Both have mean 0 and deviation 1. The few pixels that differ most become dark, so the network sees dark ink on light
    paper, and the other way round only where the paper is small.

    Args:
        views: (N, H, W) float32 grey in [0, 1].
        beyond: (N, H, W) or (H, W) float32, 1 beyond the picture; 0 where none of them shows that.

    Returns:
        (N, INPUTS, H, W) float32; the last is `beyond`.
    """
    inputs = np.empty((len(views), INPUTS, *views.shape[1:]), np.float32)
    inputs[:, 2] = beyond
    for view, both in zip(views, inputs[:, :2], strict=True):
        whole, near = both
        level, deviation = (float(each[0, 0]) for each in cv2.meanStdDev(view))
        np.multiply(view - level, 1 / (deviation + GRAIN), out=whole)
        means, squares = (cv2.blur(each, (NEAR_PX, NEAR_PX)) for each in (view, view * view))
        np.divide(view - means, np.sqrt(np.maximum(squares - means * means, 0)) + NEAR_GRAIN, out=near)
        if float((whole * whole * whole).sum()) > 0:
            np.negative(both, out=both)
    return inputs


@cache
def session() -> onnxruntime.InferenceSession:
    """Load the ink network once for a process."""
    return open_session(NETWORK)


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the CPU and one thread, as workers are processes that share the cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
