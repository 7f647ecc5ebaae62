"""Ink to frame: the normal forms in which MNIST and EMNIST store their characters."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageFilter

from handwriting.errors import InvalidImage

FRAME_PX = 28  # side of MNIST's pictures
MASS_CENTRE = 14.0  # index of MNIST's centre of mass: measured; 13.5, the middle, costs 1 to 2 points on drawings
BOX_CENTRE = 13.5  # index of the middle of EMNIST's glyph boxes
INK_THRESHOLD = 0.3  # fainter pixels are the soft edge of a stroke and do not count for the ink box
SPECK_PX = 4  # a smaller ink box is a speck
WORKING_PX = 80  # a larger ink box is reduced to this first; 4 px for each px of the frame

Box = tuple[int, int, int, int]  # left, top, right, bottom in px; right and bottom are exclusive


@dataclass(frozen=True)
class Form:
    """How a data set places a character in its frame.

    Attributes:
        box_px: longest side of the ink box.
        by_mass: whether the centre of mass is centred; otherwise the middle of the ink box.
        pen_px: finer strokes are thickened to this width; most strokes of the data set are wider.
    """

    box_px: float
    by_mass: bool
    pen_px: float


MNIST = Form(box_px=20, by_mass=True, pen_px=2.0)
# The pen width is the one with which `characters` reads most photographs of the development set
EMNIST = Form(box_px=24, by_mass=False, pen_px=2.6)


def unit_frames(frames: np.ndarray) -> np.ndarray:
    """Turn stored frames into network input.

    Args:
        frames: (N, 28, 28) uint8, 255 is ink.

    Returns:
        (N, 1, 28, 28) float32 in [0, 1]; 1 is ink, 0 is paper.
    """
    return frames[:, None].astype(np.float32) / 255


def to_frame(ink: np.ndarray, form: Form) -> np.ndarray:
    """Scale a character to a form's box and centre it in a 28 x 28 frame.

    Args:
        ink: (H, W) float32 in [0, 1]; 1 is ink, 0 is paper.
        form: of the data set to imitate.

    Returns:
        (28, 28) float32 in [0, 1].

    Raises:
        InvalidImage: there is no ink, or less than SPECK_PX of it.

    Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition", III.A; Cohen et al. 2017,
    "EMNIST: an extension of MNIST to handwritten letters", fig. 1. Thickening fine
    strokes is our addition.
    """
    left, top, right, bottom = ink_box(ink)
    if max(right - left, bottom - top) < SPECK_PX:
        raise InvalidImage(f"the only ink is a speck of {right - left} x {bottom - top} px")
    edge = 2  # keeps the soft edge of the strokes outside the box
    glyph = ink[max(0, top - edge) : bottom + edge, max(0, left - edge) : right + edge]
    side: float = max(right - left, bottom - top)
    if side > WORKING_PX:
        glyph, side = resize(glyph, WORKING_PX / side), WORKING_PX
    glyph, side = thicken(glyph, side, form.pen_px / form.box_px)
    return place(glyph, side / form.box_px, form.by_mass)


def ink_box(ink: np.ndarray) -> Box:
    """Find the smallest box around all ink.

    Args:
        ink: (H, W) float32 in [0, 1].

    Raises:
        InvalidImage: there is no ink.
    """
    inked = ink > INK_THRESHOLD
    if not inked.any():
        raise InvalidImage("the picture is blank: it holds no ink")
    (top, bottom), (left, right) = extent(inked, axis=1), extent(inked, axis=0)
    return left, top, right, bottom


def resize(ink: np.ndarray, factor: float) -> np.ndarray:
    """Scale (H, W) float32 ink by a factor below 1, by area; strokes finer than a pixel keep their darkness."""
    height, width = (max(1, round(size * factor)) for size in ink.shape)
    small = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BOX))
    rescaled: np.ndarray = small * (ink.max() / small.max())
    return rescaled


def thicken(glyph: np.ndarray, side: float, pen_share: float) -> tuple[np.ndarray, float]:
    """Widen strokes that are finer than a share of the ink box's side.

    Args:
        glyph: (H, W) float32 ink in [0, 1].
        side: longest side of its ink box in px.
        pen_share: smallest width of a stroke, as a share of that side.

    Returns:
        the glyph, padded if its strokes grew; the longest side of its ink box.
    """
    missing = pen_share * side - pen_width(glyph)
    grow = round(missing / 2)
    if grow < 1:
        return glyph, side
    padded = Image.fromarray(with_margin(glyph, grow))
    return np.asarray(padded.filter(ImageFilter.MaxFilter(2 * grow + 1))), side + 2 * grow


def with_margin(image: np.ndarray, margin: int) -> np.ndarray:
    """Add a margin of zeros to an (H, W) image; np.pad takes ten times as long."""
    return np.asarray(cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0))


def pen_width(glyph: np.ndarray) -> float:
    """Estimate the mean width of strokes in px: twice the area of the ink over the length of its outline."""
    inked = with_margin((glyph > 0.5).view(np.uint8), 1)  # noqa: PLR2004 - half covered by ink
    steps = np.count_nonzero(inked[1:] != inked[:-1]) + np.count_nonzero(inked[:, 1:] != inked[:, :-1])
    outline = max(1.0, steps * np.pi / 4)  # a staircase is longer than its line by 4 / pi on average
    return 2 * float(glyph.sum()) / outline


def place(glyph: np.ndarray, px_per_frame_px: float, by_mass: bool) -> np.ndarray:
    """Scale and centre a glyph with subpixel precision, in one resampling.

    Args:
        glyph: (H, W) float32 ink in [0, 1].
        px_per_frame_px: pixels of the glyph for one of the frame.
        by_mass: whether the centre of mass goes to index (14.0, 14.0); otherwise the middle of the ink box goes to
            (13.5, 13.5).

    Returns:
        (28, 28) float32 in [0, 1].
    """
    reach = FRAME_PX * px_per_frame_px
    margin = int(np.ceil(reach)) + 1  # so that the region lies inside, wherever the centre of mass is
    left, top = (margin + frame_start(glyph, axis, px_per_frame_px, by_mass) for axis in (0, 1))
    padded = Image.fromarray(with_margin(glyph, margin))
    region = (left, top, left + reach, top + reach)
    frame = padded.resize((FRAME_PX, FRAME_PX), Image.Resampling.BILINEAR, box=region)
    return np.asarray(np.minimum(np.maximum(np.asarray(frame), 0), 1))


def frame_start(glyph: np.ndarray, axis: int, px_per_frame_px: float, by_mass: bool) -> float:
    """Return where the frame begins in px of the glyph, so that its centre is centred and no ink is cut off.

    Args:
        glyph: (H, W) float32 ink in [0, 1].
        axis: 0 for the frame's left edge, 1 for its top.
        px_per_frame_px: pixels of the glyph for one of the frame.
        by_mass: whether the centre is the centre of mass; otherwise the middle of the ink box.
    """
    first, end = extent(glyph > INK_THRESHOLD, axis)
    if not by_mass:
        return (first + end) / 2 - (BOX_CENTRE + 0.5) * px_per_frame_px
    profile = glyph.sum(axis=axis)
    centre = float(profile @ np.arange(len(profile))) / float(profile.sum()) + 0.5  # from an index to a coordinate
    low, high = sorted((first, end - FRAME_PX * px_per_frame_px))
    return min(max(centre - (MASS_CENTRE + 0.5) * px_per_frame_px, low), high)


def extent(inked: np.ndarray, axis: int) -> tuple[int, int]:
    """Return the first column (axis 0) or row (axis 1) that holds ink, and the one after the last."""
    where = np.flatnonzero(inked.any(axis=axis))
    return int(where[0]), int(where[-1]) + 1
