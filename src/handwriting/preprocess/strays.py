"""Ink that belongs to no character: ruled lines, pieces of neighbours at the picture's edge, small marks below."""

import cv2
import numpy as np

from handwriting.preprocess.paper import border_of

FAINT = 0.2  # ink from here on connects; low, so that a faint bridge keeps a character whole
EDGE_SHARE = 0.5  # of the ink away from the edge: where the edge cuts off more, it cuts the character itself
MARK_SHARE = 0.2  # of the largest piece's ink: no letter or digit has so small a part below the rest
MARK_GAP = 0.08  # of the largest piece's height, which lies between it and a mark below it
LINE_SHARE = 0.12  # of the picture's height or width: a piece no thicker that runs across it is a line
LINE_INK = 0.1  # of a line's ink: with less away from the edge, the line is the character, such as a cropped T's bar
TOP, WIDTH, HEIGHT = cv2.CC_STAT_TOP, cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT


def drop_strays(ink: np.ndarray) -> np.ndarray:
    """Take away the ink that is no part of the character.

    Args:
        ink: (H, W) float32 in [0, 1]; 1 is ink.

    Returns:
        (H, W) float32 in [0, 1].
    """
    count, pieces, boxes, _ = cv2.connectedComponentsWithStats((ink > FAINT).astype(np.uint8), connectivity=8)
    if count <= 2:  # noqa: PLR2004 - the paper and one piece
        return ink
    masses = np.bincount(pieces.ravel(), weights=ink.ravel(), minlength=count)
    masses[0] = 0
    stray = cut_off(pieces, boxes, masses) | marks_below(boxes, masses)
    if not stray.any():
        return ink
    # The faint surroundings of a stray go with it, those of the character stay
    reach = cv2.dilate(stray[pieces].astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    return np.where(reach & ((pieces == 0) | stray[pieces]), 0, ink).astype(np.float32)


def cut_off(pieces: np.ndarray, boxes: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Tell which pieces the picture's edge cuts off, unless they weigh so much that the character is among them.

    Args:
        pieces: (H, W) int32 numbers of connected pieces, 0 is paper.
        boxes: (n, 5) int32 statistics of each piece, by cv2's columns.
        masses: (n,) float64 ink of each.

    Returns:
        (n,) bool.
    """
    touching = np.zeros(len(masses), bool)
    touching[border_of(pieces)] = True
    touching[0] = False
    height, width = pieces.shape
    across = (boxes[:, WIDTH] == width) & (boxes[:, HEIGHT] <= LINE_SHARE * height)
    down = (boxes[:, HEIGHT] == height) & (boxes[:, WIDTH] <= LINE_SHARE * width)
    lines = touching & (across | down)
    rest = masses[~touching].sum()
    few = masses[touching & ~lines].sum() <= EDGE_SHARE * rest
    return touching & np.where(lines, rest >= LINE_INK * masses, few)


def marks_below(boxes: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Tell which pieces are small marks below the character: dots, and what a form has printed there.

    Args:
        boxes: (n, 5) int32 statistics of each piece, by cv2's columns.
        masses: (n,) float64 ink of each.

    Returns:
        (n,) bool.
    """
    largest = int(masses.argmax())
    lowest = boxes[largest, TOP] + (1 + MARK_GAP) * boxes[largest, HEIGHT]
    return (boxes[:, TOP] > lowest) & (masses <= MARK_SHARE * masses[largest])
