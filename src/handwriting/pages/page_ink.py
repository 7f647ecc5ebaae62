"""Finds the ink of a page on any paper: in a small copy first, then at the size at which the ink network reads."""

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from handwriting.errors import InvalidImage
from handwriting.pages.depth import measure_depth
from handwriting.pages.pieces import weighted_median
from handwriting.preprocess.ink import INKED, NO_WRITING, SAME_GREY, SEEN, check_contrast
from handwriting.preprocess.ink_network import look_at_all

COARSE_PX = 256  # longest side of a page in the first look
WRITING_PX = 30  # height of capitals at which the network is asked
LOOKS = 3  # at most
SAME_SIZE = 1.2  # a size that differs by less needs no further look
CLOSER = 2.5  # factor of the next look, where a look finds nothing
MAX_SIDE_PX = 2048  # of a look
TILE_PX = 128  # a multiple of 8; in smaller ones, more characters are cut, and half of a 3 is no character
MARGIN_PX = 24  # of tiles; what is that near a tile's edge is taken from the next tile
STEP_PX = TILE_PX - 2 * MARGIN_PX  # from tile to tile
AT_ONCE = 16  # tiles in a pass; more take more memory and are not faster
LARGEST = 2.0  # factor by which a page is enlarged at most


def find_page_ink(grey: np.ndarray) -> np.ndarray:
    """Find the ink of all characters on a page.

    Args:
        grey: (H, W) uint8; 0 is black, 255 is white.

    Returns:
        (H, W) float32 in [0, 1]; 1 is ink.

    Raises:
        InvalidImage: there is none.
    """
    check_contrast(grey)
    longest = max(grey.shape)
    factor = min(1.0, COARSE_PX / longest)
    for look in range(1, LOOKS + 1):
        ink = look_at_page(scaled(grey, factor))
        size = writing_size(ink)
        wanted = factor * (WRITING_PX / size if size else CLOSER)
        wanted = min(wanted, LARGEST, MAX_SIDE_PX / longest)
        if look == LOOKS or max(wanted / factor, factor / wanted) <= SAME_SIZE:
            break
        factor = wanted
    if ink.max() < SEEN:
        raise InvalidImage(NO_WRITING)
    height, width = grey.shape
    ink = cv2.resize(ink / ink.max(), (width, height), interpolation=cv2.INTER_LINEAR)
    return measure_depth(grey / np.float32(255), ink, max(size, 1.0) / factor)


def scaled(grey: np.ndarray, factor: float) -> np.ndarray:
    """Scale (H, W) uint8 grey values, by area where they become smaller."""
    height, width = (max(8, round(side * factor)) for side in grey.shape)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (width, height), interpolation=how))


def look_at_page(grey: np.ndarray) -> np.ndarray:
    """Run the ink network on (H, W) uint8 grey: (H, W) float32 ink in [0, 1].

    It reads the page in tiles that overlap, and of each the middle counts. Empty tiles are not read.
    """
    height, width = grey.shape
    rows, columns = (-(-side // STEP_PX) for side in grey.shape)
    margins = (MARGIN_PX, MARGIN_PX + rows * STEP_PX - height)
    sides = (MARGIN_PX, MARGIN_PX + columns * STEP_PX - width)
    padded = cv2.copyMakeBorder(grey, *margins, *sides, cv2.BORDER_REFLECT_101)  # squares go on as squares
    tiles = sliding_window_view(padded, (TILE_PX, TILE_PX))[::STEP_PX, ::STEP_PX].reshape(-1, TILE_PX, TILE_PX)
    used = np.flatnonzero(tiles.max(axis=(1, 2)).astype(int) - tiles.min(axis=(1, 2)) > SAME_GREY)
    middles = np.zeros((len(tiles), STEP_PX, STEP_PX), np.float32)
    middle = slice(MARGIN_PX, -MARGIN_PX)
    for some in np.array_split(used, -(-len(used) // AT_ONCE)) if len(used) else ():
        middles[some] = look_at_all(tiles[some] / np.float32(255))[:, 0, middle, middle]
    ink = middles.reshape(rows, columns, STEP_PX, STEP_PX).swapaxes(1, 2).reshape(rows * STEP_PX, columns * STEP_PX)
    return np.asarray(ink[:height, :width])


def writing_size(ink: np.ndarray) -> float:
    """Estimate the height of the writing in px of (H, W) ink, 0 without any."""
    if ink.max() < SEEN:
        return 0.0
    count, _, boxes, _ = cv2.connectedComponentsWithStats((ink > INKED * ink.max()).astype(np.uint8), connectivity=8)
    if count == 1:
        return 0.0
    boxes = boxes[1:]
    return weighted_median(boxes[:, cv2.CC_STAT_HEIGHT].astype(float), boxes[:, cv2.CC_STAT_AREA])
