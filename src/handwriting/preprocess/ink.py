"""Grey values to ink: which side of the paper's grey the pen is on, and how much of it each pixel holds."""

import numpy as np

from handwriting.errors import InvalidImage
from handwriting.preprocess.paper import DARKEST, MIN_RANGE, border_plane, find_paper, shrink

MIN_CONTRAST = 0.12  # ink that takes away less of the paper's light is not seen
GRAIN_FACTOR = 4.0  # so many standard deviations of the paper's own grain are taken off as no ink
SEEN_FACTOR = 6.0  # and a picture without a pixel over so many shows no ink at all: one in a billion is, by chance
LIGHT_INK_FACTOR = 1.5  # how much more than the darkest spot light ink differs from the paper
MAX_INK_SHARE = 0.8  # more than this is a filled picture, not writing


def to_ink(grey: np.ndarray) -> np.ndarray:
    """Measure how much ink covers each pixel, whatever the colours and the light.

    Args:
        grey: (H, W) float32 in [0, 1]; 0 is black, 1 is white.

    Returns:
        (H, W) float32 in [0, 1]; 1 is ink, 0 is paper.

    Raises:
        InvalidImage: the picture is blank, or nearly all of it is ink.
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
    """Tell the polarity: the border is paper, more or less evenly lit, and ink is what differs from it most.

    Light ink has to stand out clearly more than the darkest spot, since nearly all paper is light.
    """
    small = shrink(grey)
    difference = small - border_plane(small)
    return -LIGHT_INK_FACTOR * difference.min() >= difference.max()
