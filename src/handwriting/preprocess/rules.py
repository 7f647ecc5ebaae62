"""A ruled line that a character stands on: it is taken away where the two touch, too."""

import cv2
import numpy as np

from handwriting.preprocess.strays import FAINT, LINE_SHARE, drop_strays

COARSE_PX = 96  # a line is first looked for with the picture's longer side reduced to this
SLOPES = np.array(sorted(np.linspace(-0.08, 0.08, 17), key=abs))  # of the line, about +-4.5 degrees; the least first
ACROSS = 0.95  # share of the picture's width in which a line shows: breaks are short
HALO = 0.03  # ink beside the character, from here on it is the line's
STROKE = 0.2  # a pixel darker than the line by so much is a stroke of the character that lies on it
ALONE_FACTOR = 1.5  # where there is more ink along the line than so many times the median, the character adds to it
STEP_PX = 0.5  # in which the ink across a line is measured
WOBBLE_SHARE = 0.004  # of the picture's height, at least 1 px, that a line strays from straightness
MARGIN_SHARE = 0.05  # of the width, by which the line passes the character on both sides, as no stroke of its own would
BELOW_SHARE = 0.15  # of the character's ink, which may lie below the line: it stands there


def lift_rule(ink: np.ndarray) -> np.ndarray:
    """Take away a line that runs across the picture under the character, and leave the character's strokes on it.

    Args:
        ink: (H, W) float32 in [0, 1]; 1 is ink.

    Returns:
        (H, W) float32 in [0, 1].
    """
    if (ink > FAINT).any(axis=0).mean() < ACROSS:
        return ink  # as with most pictures, and quickly told
    rough = find_line(ink)
    exact = rough and follow(ink, *rough)
    line = exact and draw(ink, *exact)
    if line is None:
        return ink
    lifted = np.where((line > HALO) & (ink < line + STROKE), 0, ink).astype(np.float32)
    return lifted if stands_on(drop_strays(lifted), line) else ink


def find_line(ink: np.ndarray) -> tuple[float, float] | None:
    """Look for the darkest line that runs across.

    Returns:
        its row in the middle of the picture, its slope in rows per column; None where there is no line.
    """
    factor = min(1.0, COARSE_PX / max(ink.shape))
    height, width = (max(round(side * factor), 1) for side in ink.shape)
    tall = cv2.dilate(ink, np.ones((round(1 / factor), 1)))  # so that reduction leaves enough of a fine line
    small = cv2.resize(tall, (width, height), interpolation=cv2.INTER_AREA)
    columns = np.arange(width)
    shifts = np.rint(SLOPES[:, None] * (columns - width / 2)).astype(int)
    rows = np.clip(np.arange(height)[:, None] + shifts[:, None], 0, height - 1)
    levelled = small[rows, columns]  # (slopes, H, W)
    across = (levelled > FAINT / 2).mean(axis=2) >= ACROSS  # a line may lie half in one row, half in the next
    if not across.any():
        return None
    which, row = np.unravel_index((levelled.mean(axis=2) * across).argmax(), across.shape)
    return (row + 0.5) / factor - 0.5, SLOPES[which]


def follow(ink: np.ndarray, row: float, slope: float) -> tuple[float, float] | None:
    """Make row and slope of a line exact, by a fit through the middle of its ink in each column.

    Returns:
        as find_line.
    """
    for _ in range(2):
        band, rows, across = near(ink, row, slope)
        ours = band * (np.abs(rows - row - slope * across) <= reach_px(ink))
        mass = ours.sum(axis=0)
        alone = (mass > 0) & (mass <= ALONE_FACTOR * np.median(mass))
        if alone.sum() < 2:  # noqa: PLR2004 - points of a line
            return None
        slope, row = np.polyfit(across[alone], (ours * rows).sum(axis=0)[alone] / mass[alone], 1)
    return row, slope


def draw(ink: np.ndarray, row: float, slope: float) -> np.ndarray | None:
    """Say what the picture would be with a line alone, a little wider than the line is beside the character.

    Returns:
        (H, W) float32 in [0, 1]; None where it is too thick for a line, or has no paper below.
    """
    height, width = ink.shape
    band, rows, across = near(ink, row, slope)
    distance = rows - row - slope * across
    steps = np.arange(-reach_px(ink), reach_px(ink) + STEP_PX, STEP_PX)
    profile = np.array([median(band[np.abs(distance - step) <= STEP_PX]) for step in steps])
    inside = steps[profile > FAINT]
    lowest = row + abs(slope) * width / 2 + inside.max(initial=0)
    if lowest >= height - 1 or len(inside) * STEP_PX > LINE_SHARE * height:
        return None  # a part of the character, which is cut to its edge, or a shadow
    wobble_px = max(1.0, WOBBLE_SHARE * height)
    wide = cv2.dilate(profile[:, None], np.ones((1 + 2 * round(wobble_px / STEP_PX), 1)))[:, 0]
    line = np.zeros_like(ink)
    line[rows[0, 0] : rows[-1, 0] + 1] = np.interp(distance, steps, wide, left=0, right=0)
    return line


def near(ink: np.ndarray, row: float, slope: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut out the rows about a line: the rest need not be looked at.

    Returns:
        (h, W) ink; (h, 1) its rows; (W,) its columns, from the middle.
    """
    height, width = ink.shape
    room = 2 * reach_px(ink) + abs(slope) * width / 2
    top = min(max(int(row - room), 0), height - 1)
    bottom = max(min(int(row + room) + 2, height), top + 1)
    return ink[top:bottom], np.arange(top, bottom)[:, None], np.arange(width) - (width - 1) / 2


def reach_px(ink: np.ndarray) -> float:
    """How far from a roughly known line its ink may lie."""
    return 1 + max(ink.shape) / COARSE_PX


def median(values: np.ndarray) -> float:
    """Return the median, of which the character, over few columns, changes little; 0 of no values."""
    return float(np.median(values)) if values.size else 0.0


def stands_on(ink: np.ndarray, line: np.ndarray) -> bool:
    """Tell whether a character lies above a line and within its ends.

    Args:
        ink: (H, W) float32 in [0, 1], of the character alone.
        line: (H, W) float64 in [0, 1].
    """
    columns = np.flatnonzero((ink > FAINT).any(axis=0))
    if not len(columns):
        return False
    width = ink.shape[1]
    below = ink[np.cumsum(line[::-1], axis=0)[::-1] == 0].sum()
    margin = MARGIN_SHARE * width
    return bool(columns[0] >= margin and columns[-1] < width - margin and below <= BELOW_SHARE * ink.sum())
