"""Removes ink that is not part of the character: cut-off neighbours, lines at the edge, small marks below."""

import cv2
import numpy as np

from handwriting.preprocess.paper import border_of

FAINT = 0.2  # more ink than this connects pixels; low, so that a faint stroke keeps a character in one piece
EDGE_SHARE = 0.5  # of the ink away from the edge; if more ink touches the edge, the character itself is cut off
MARK_SHARE = 0.2  # of the largest piece's ink; no character has such a small part below the rest
MARK_GAP = 0.08  # of the largest piece's height; smallest gap between it and a mark below
LINE_SHARE = 0.12  # of the picture's height or width; a piece across the picture that is no thicker is a line
LINE_INK = 0.1  # of a line's ink; with less ink elsewhere, the line is the character, such as a cropped T's bar
TOP, WIDTH, HEIGHT = cv2.CC_STAT_TOP, cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT


def remove_strays(ink: np.ndarray) -> np.ndarray:
    """Remove the ink that is not part of the character.

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
    # A stray's soft edge is removed with it, the character's soft edge stays
    reach = cv2.dilate(stray[pieces].astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    return np.where(reach & ((pieces == 0) | stray[pieces]), 0, ink).astype(np.float32)


def cut_off(pieces: np.ndarray, boxes: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Tell which pieces touch the picture's edge, unless they have so much ink that one is the character.

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
    strays: np.ndarray = touching & np.where(lines, rest >= LINE_INK * masses, few)
    return strays


def marks_below(boxes: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Tell which pieces are small marks below the character: dots, and print of a form.

    Args:
        boxes: (n, 5) int32 statistics of each piece, by cv2's columns.
        masses: (n,) float64 ink of each.

    Returns:
        (n,) bool.
    """
    largest = int(masses.argmax())
    lowest = boxes[largest, TOP] + (1 + MARK_GAP) * boxes[largest, HEIGHT]
    strays: np.ndarray = (boxes[:, TOP] > lowest) & (masses <= MARK_SHARE * masses[largest])
    return strays
