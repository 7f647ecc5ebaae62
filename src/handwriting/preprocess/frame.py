"""Ink to frame: the normal forms in which MNIST and EMNIST store their characters."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

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
    return glyph_frame(crop(ink), form)


class Glyph(NamedTuple):
    """A character cut out of a picture, small enough to work with.

    Attributes:
        ink: (h, w) float32 in [0, 1], with the soft edge of the strokes.
        side_px: longest side of its ink box.
        pen_px: mean width of its strokes.
    """

    ink: np.ndarray
    side_px: float
    pen_px: float


def crop(ink: np.ndarray) -> Glyph:
    """Cut a character out of (H, W) float32 ink in [0, 1], and reduce it to WORKING_PX if it is larger.

    Raises:
        InvalidImage: as `to_frame`.
    """
    left, top, right, bottom = ink_box(ink)
    if max(right - left, bottom - top) < SPECK_PX:
        raise InvalidImage(f"the only ink is a speck of {right - left} x {bottom - top} px")
    edge = 2  # keeps the soft edge of the strokes outside the box
    glyph = ink[max(0, top - edge) : bottom + edge, max(0, left - edge) : right + edge]
    side: float = max(right - left, bottom - top)
    if side > WORKING_PX:
        glyph, side = resize(glyph, WORKING_PX / side), WORKING_PX
    return Glyph(glyph, side, pen_width(glyph))


def glyph_frame(glyph: Glyph, form: Form) -> np.ndarray:
    """Scale a character to a form's box and centre it: (28, 28) float32 in [0, 1]."""
    thickened, side = thicken(glyph, form.pen_px / form.box_px)
    return place(thickened, side / form.box_px, form.by_mass)


def ink_box(ink: np.ndarray) -> Box:
    """Find the smallest box around all ink.

    Args:
        ink: (H, W) float32 in [0, 1].

    Raises:
        InvalidImage: there is no ink.
    """
    left, top, width, height = cv2.boundingRect((ink > INK_THRESHOLD).view(np.uint8))
    if not width:
        raise InvalidImage("the picture is blank: it holds no ink")
    return left, top, left + width, top + height


def resize(ink: np.ndarray, factor: float) -> np.ndarray:
    """Scale (H, W) float32 ink by a factor below 1, by area; strokes finer than a pixel keep their darkness."""
    height, width = (max(1, round(size * factor)) for size in ink.shape)
    small = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small * (ink.max() / small.max()))


def thicken(glyph: Glyph, pen_share: float) -> tuple[np.ndarray, float]:
    """Widen strokes that are finer than a share of the ink box's side.

    Returns:
        (H, W) float32 ink, padded if its strokes grew; the longest side of its ink box in px.
    """
    grow = round((pen_share * glyph.side_px - glyph.pen_px) / 2)
    if grow < 1:
        return glyph.ink, glyph.side_px
    pen = np.ones((2 * grow + 1, 2 * grow + 1), np.uint8)
    return np.asarray(cv2.dilate(with_margin(glyph.ink, grow), pen)), glyph.side_px + 2 * grow


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
        by_mass: whether the centre of mass goes to index (14.0, 14.0), unless ink were cut off; otherwise the middle of
            the ink box goes to (13.5, 13.5).

    Returns:
        (28, 28) float32 in [0, 1].
    """
    left, top, right, bottom = ink_box(glyph)
    firsts, ends = np.array([left, top], float), np.array([right, bottom], float)
    if by_mass:
        moments = cv2.moments(glyph)
        middles = np.array([moments["m10"], moments["m01"]]) / moments["m00"] + 0.5  # from an index to a coordinate
        starts = middles - (MASS_CENTRE + 0.5) * px_per_frame_px
        fits = ends - FRAME_PX * px_per_frame_px  # where the frame ends with the ink; none is cut off between
        starts = np.clip(starts, np.minimum(firsts, fits), np.maximum(firsts, fits))
    else:
        starts = (firsts + ends) / 2 - (BOX_CENTRE + 0.5) * px_per_frame_px
    columns, rows = weights(starts, px_per_frame_px, max(glyph.shape))
    height, width = glyph.shape
    return np.asarray(np.clip(rows[:, :height] @ glyph @ columns[:, :width].T, 0, 1))


def weights(starts: np.ndarray, px_per_frame_px: float, size: int) -> np.ndarray:
    """Return how much each pixel of a line counts for each of the frame: the nearer to its middle, the more.

    Args:
        starts: (n,) float64, where the frame begins on each of n lines, in px.
        px_per_frame_px: pixels of the line for one of the frame.
        size: pixels of a line; what lies beyond is paper.

    Returns:
        (n, 28, size) float32.
    """
    reach = max(1.0, px_per_frame_px)
    middles = starts[:, None, None] + (np.arange(FRAME_PX)[:, None] + 0.5) * px_per_frame_px - 0.5
    near = np.floor(middles) + np.arange(-np.ceil(reach), np.ceil(reach) + 1)
    total = np.maximum(1 - np.abs(near - middles) / reach, 0).sum(axis=2, keepdims=True)
    shares = np.maximum(1 - np.abs(np.arange(size) - middles) / reach, 0) / total
    return np.asarray(shares, np.float32)
