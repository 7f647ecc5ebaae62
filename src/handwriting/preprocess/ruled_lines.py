"""Removes a ruled line that a character stands on, also where the two touch."""

import cv2
import numpy as np

from handwriting.preprocess.strays import FAINT, LINE_SHARE, remove_strays

COARSE_PX = 96  # longest side of the reduced picture in which a line is searched first
SLOPES = np.array(sorted(np.linspace(-0.08, 0.08, 17), key=abs))  # of a line, about +-4.5 degrees; smallest first
ACROSS = 0.95  # share of the picture's columns that a line covers
HALO = 0.03  # ink of the rendered line; pixels with more belong to the line
STROKE = 0.2  # a pixel with this much more ink than the line is a stroke of the character
ALONE_FACTOR = 1.5  # a column with more ink than this many times the median holds ink of the character, too
STEP_PX = 0.5  # resolution of the profile across a line
WOBBLE_SHARE = 0.004  # of the picture's height, at least 1 px: how far a line deviates from straight
MARGIN_SHARE = 0.05  # of the width: a line extends beyond the character by this on both sides, a stroke does not
BELOW_SHARE = 0.15  # of the character's ink: at most this much lies below the line


def remove_ruled_line(ink: np.ndarray) -> np.ndarray:
    """Remove a line that crosses the picture under the character; the character's strokes on it stay.

    Args:
        ink: (H, W) float32 in [0, 1]; 1 is ink.

    Returns:
        (H, W) float32 in [0, 1].
    """
    if (ink > FAINT).any(axis=0).mean() < ACROSS:
        return ink  # most pictures
    rough = find_line(ink)
    exact = rough and refine_line(ink, *rough)
    line = exact and render_line(ink, *exact)
    if line is None:
        return ink
    without_line = np.where((line > HALO) & (ink < line + STROKE), 0, ink).astype(np.float32)
    return without_line if stands_on_line(remove_strays(without_line), line) else ink


def find_line(ink: np.ndarray) -> tuple[float, float] | None:
    """Find the darkest line that crosses the picture.

    Returns:
        its row in the middle of the picture and its slope in rows per column; None without a line.
    """
    factor = min(1.0, COARSE_PX / max(ink.shape))
    height, width = (max(round(side * factor), 1) for side in ink.shape)
    tall = cv2.dilate(ink, np.ones((round(1 / factor), 1)))  # keeps a fine line visible in the reduced picture
    small = cv2.resize(tall, (width, height), interpolation=cv2.INTER_AREA)
    columns = np.arange(width)
    shifts = np.rint(SLOPES[:, None] * (columns - width / 2)).astype(int)
    rows = np.clip(np.arange(height)[:, None] + shifts[:, None], 0, height - 1)
    levelled = small[rows, columns]  # (slopes, H, W)
    across = (levelled > FAINT / 2).mean(axis=2) >= ACROSS  # a line may be split between two rows
    if not across.any():
        return None
    which, row = np.unravel_index((levelled.mean(axis=2) * across).argmax(), across.shape)
    return float((row + 0.5) / factor - 0.5), float(SLOPES[which])


def refine_line(ink: np.ndarray, row: float, slope: float) -> tuple[float, float] | None:
    """Refine row and slope of a line by a fit through the middle of its ink in each column.

    Returns:
        as find_line.
    """
    for _ in range(2):
        band, rows, across = band_around(ink, row, slope)
        ours = band * (np.abs(rows - row - slope * across) <= reach_px(ink))
        mass = ours.sum(axis=0)
        alone = (mass > 0) & (mass <= ALONE_FACTOR * np.median(mass))
        if alone.sum() < 2:  # noqa: PLR2004 - a line needs two points
            return None
        slope, row = (
            float(each) for each in np.polyfit(across[alone], (ours * rows).sum(axis=0)[alone] / mass[alone], 1)
        )
    return row, slope


def render_line(ink: np.ndarray, row: float, slope: float) -> np.ndarray | None:
    """Render the line without the character, a little wider than it is.

    Returns:
        (H, W) float32 in [0, 1]; None if it is too thick for a line, or if no paper is below it.
    """
    height, width = ink.shape
    band, rows, across = band_around(ink, row, slope)
    distance = rows - row - slope * across
    steps = np.arange(-reach_px(ink), reach_px(ink) + STEP_PX, STEP_PX)
    profile = np.array([median(band[np.abs(distance - step) <= STEP_PX]) for step in steps])
    inside = steps[profile > FAINT]
    lowest = row + abs(slope) * width / 2 + inside.max(initial=0)
    if lowest >= height - 1 or len(inside) * STEP_PX > LINE_SHARE * height:
        return None  # a shadow, or part of a tightly cropped character
    wobble_px = max(1.0, WOBBLE_SHARE * height)
    wide = cv2.dilate(profile[:, None], np.ones((1 + 2 * round(wobble_px / STEP_PX), 1)))[:, 0]
    line = np.zeros_like(ink)
    line[rows[0, 0] : rows[-1, 0] + 1] = np.interp(distance, steps, wide, left=0, right=0)
    return line


def band_around(ink: np.ndarray, row: float, slope: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut out the rows around a line.

    Returns:
        (h, W) ink; (h, 1) row numbers; (W,) column numbers, counted from the middle.
    """
    height, width = ink.shape
    room = 2 * reach_px(ink) + abs(slope) * width / 2
    top = min(max(int(row - room), 0), height - 1)
    bottom = max(min(int(row + room) + 2, height), top + 1)
    return ink[top:bottom], np.arange(top, bottom)[:, None], np.arange(width) - (width - 1) / 2


def reach_px(ink: np.ndarray) -> float:
    """Return how far from a roughly known line its ink may lie."""
    return 1 + float(max(ink.shape)) / COARSE_PX


def median(values: np.ndarray) -> float:
    """Return the median, 0 without values; ink of the character in a few columns hardly changes it."""
    return float(np.median(values)) if values.size else 0.0


def stands_on_line(ink: np.ndarray, line: np.ndarray) -> bool:
    """Tell whether a character stands on a line, within the line's ends.

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
