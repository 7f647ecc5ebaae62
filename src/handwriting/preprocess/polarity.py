"""Grey values to ink: decides the polarity (dark or light ink), and measures the ink at each pixel."""

import numpy as np

from handwriting.errors import InvalidImage
from handwriting.preprocess.paper import DARKEST, MIN_RANGE, border_plane, find_paper, shrink

MIN_CONTRAST = 0.12  # fainter ink, as a share of the paper's light, is ignored
GRAIN_FACTOR = 4.0  # standard deviations of the paper's grain that are subtracted from the ink
SEEN_FACTOR = 6.0  # a picture without a pixel over this many standard deviations is blank: a chance of one in a billion
LIGHT_INK_FACTOR = 1.5  # light ink differs from the paper by this many times more than the darkest spot
MAX_INK_SHARE = 0.8  # a picture with more ink is filled, not written on


def to_ink(grey: np.ndarray) -> np.ndarray:
    """Measure the ink at each pixel, for any colours and lighting.

    Args:
        grey: (H, W) float32 in [0, 1]; 0 is black, 1 is white.

    Returns:
        (H, W) float32 in [0, 1]; 1 is ink, 0 is paper.

    Raises:
        InvalidImage: blank, or filled with ink.
    """
    if np.ptp(grey) < MIN_RANGE:
        raise InvalidImage("the picture is blank: it is the same grey everywhere")
    dark_on_light = grey if ink_is_dark(grey) else 1 - grey
    paper, grain = find_paper(dark_on_light)
    depth = np.clip(1 - dark_on_light / np.maximum(paper, DARKEST), 0, 1)
    floor = GRAIN_FACTOR * grain
    visible = depth > max(MIN_CONTRAST, SEEN_FACTOR * grain)
    if not visible.any():
        raise InvalidImage("the picture is blank: nothing on it stands out from the paper")
    if visible.mean() > MAX_INK_SHARE:
        raise InvalidImage(f"ink fills {visible.mean():.0%} of the picture; leave paper around the character")
    full = np.percentile(depth[visible], 90)
    return np.clip((depth - floor) / (full - floor), 0, 1).astype(np.float32)


def ink_is_dark(grey: np.ndarray) -> bool:
    """Decide the polarity: the border is paper, and the largest difference from it is ink.

    Light ink has to differ clearly more than the darkest spot, since most paper is light.
    """
    small = shrink(grey)
    difference = small - border_plane(small)
    return bool(-LIGHT_INK_FACTOR * difference.min() >= difference.max())
