"""Characters drawn as an outline: what their lines enclose is a second reading of the same ink."""

import cv2
import numpy as np

from handwriting.preprocess.frame import INK_THRESHOLD, Glyph, with_margin

FINE = 0.08  # of the character's longest side: an outline is drawn with a finer pen than a character
GAP = 1.5  # widths of the pen: so long a gap of an outline is closed
LARGE = 0.6  # of the character's longest side: what an outline encloses is no smaller
SOFT_PX = 3  # of the edge, which a pen's stroke has, too
PARENT = 3  # column of OpenCV's hierarchy of contours; -1 is none


def inside_outline(glyph: Glyph) -> np.ndarray | None:
    """Return what the outermost lines of a character enclose, if they are so fine that they may be its outline.

    What lies within further lines is no part of it, as the inside of a 0 is not.

    Returns:
        (h, w) float32 in [0, 1] with a margin of paper; None if the pen was not as fine, or the lines enclose little.
    """
    if glyph.pen_px > FINE * glyph.side_px:
        return None
    reach = max(1, round(GAP * glyph.pen_px / 2))
    inked = (with_margin(glyph.ink, reach + 1) > INK_THRESHOLD).view(np.uint8)
    lines = cv2.morphologyEx(inked, cv2.MORPH_CLOSE, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    inside = enclosed(lines)
    _, _, width, height = cv2.boundingRect(inside)
    if max(width, height) < LARGE * glyph.side_px:
        return None
    return np.asarray(cv2.GaussianBlur(inside.astype(np.float32), (SOFT_PX, SOFT_PX), 0))


def enclosed(lines: np.ndarray) -> np.ndarray:
    """Return what the outermost lines enclose, without what further lines within them do: (H, W) uint8.

    Args:
        lines: (H, W) uint8, 1 is ink; the border is paper.
    """
    contours, hierarchy = cv2.findContours(lines, cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
    parents = hierarchy[0][:, PARENT]
    depths = np.zeros(len(parents), int)  # 0 outermost lines, 1 their holes, 2 lines within these, and so on
    for i, parent in enumerate(parents):  # a contour comes after its parent
        depths[i] = 0 if parent < 0 else depths[parent] + 1
    inside = np.zeros_like(lines)
    for depth, value in ((1, 1), (2, 0)):
        chosen = [contour for contour, its_depth in zip(contours, depths, strict=True) if its_depth == depth]
        cv2.drawContours(inside, chosen, -1, value, cv2.FILLED)
    return inside
