"""Characters drawn as an outline: the same ink with the outline filled, as a second reading."""

import cv2
import numpy as np

from handwriting.preprocess.frame import INK_THRESHOLD, WORKING_PX, ink_box, pen_width, resize, with_margin

FINE = 0.08  # of the character's longest side: outlines are drawn with a finer pen than characters
GAP = 1.5  # pens: so long a gap of an outline is closed
PAPER, INK = 0, 1


def filled(ink: np.ndarray) -> np.ndarray | None:
    """Fill what the outermost lines of a character enclose, if the pen was so fine that they may be its outline.

    What lies within further lines stays paper, as the inside of a 0 does.

    Args:
        ink: (H, W) float32 in [0, 1]; 1 is ink.

    Returns:
        (h, w) float32 ink in [0, 1] of the filled character, in its own scale; None if the pen was no finer than most,
        or the lines enclose nothing.
    """
    left, top, right, bottom = ink_box(ink)
    glyph, side = ink[top:bottom, left:right], max(right - left, bottom - top)
    if side > WORKING_PX:
        glyph, side = resize(glyph, WORKING_PX / side), WORKING_PX
    pen = pen_width(glyph)
    if pen > FINE * side:
        return None
    reach = max(1, round(GAP * pen / 2))
    glyph = with_margin(glyph, reach + 1)
    lines = cv2.morphologyEx(
        (glyph > INK_THRESHOLD).view(np.uint8), cv2.MORPH_CLOSE, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    )
    inside = enclosed(lines)
    if not inside.any():
        return None
    return np.asarray(np.where(cv2.dilate(inside, np.ones((3, 3), np.uint8)) > 0, np.float32(1), glyph))


def enclosed(lines: np.ndarray) -> np.ndarray:
    """Return what the outermost lines enclose and no further lines do: (H, W) uint8.

    Args:
        lines: (H, W) uint8, 1 is ink; the border is paper.
    """
    contours, hierarchy = cv2.findContours(lines, cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
    found = np.zeros_like(lines)
    for i, (_, _, _, parent) in enumerate(hierarchy[0]):
        is_hole_of_outermost = parent >= 0 and hierarchy[0][parent][3] < 0
        if is_hole_of_outermost:
            cv2.drawContours(found, contours, i, 1, cv2.FILLED)
    for i, (_, _, _, parent) in enumerate(hierarchy[0]):
        is_line_within = parent >= 0 and hierarchy[0][parent][3] >= 0 and hierarchy[0][hierarchy[0][parent][3]][3] < 0
        if is_line_within:
            cv2.drawContours(found, contours, i, 0, cv2.FILLED)
    return found
