"""How dark each pixel of a page is against the paper around it, where the ink network sees ink.

The network says which strokes are characters. Their shape is taken from the grey values: a pixel of the network covers
several of the page, and its own ink lets neighbours touch.
"""

import math

import cv2
import numpy as np

from handwriting.pages.pieces import weighted_median
from handwriting.preprocess.frame import INK_THRESHOLD
from handwriting.preprocess.ink import BESIDE, HALF, quantile, with_edges
from handwriting.preprocess.windows import halved

NEAR = 0.1  # what has less of the network's ink than this, and lies in a ring around more, is mostly paper
REACH = 1 / 6  # of the writing's size: from where the paper's grey is taken, as a standard deviation
MISSED = 0.25  # of the writing's size: longer strokes that the network does not see are print
SURE = 0.4  # pixels with more of the network's ink tell how dark ink is
DOUBTFUL = 0.75  # of the page's usual: pieces in which the network is nowhere surer are none
MOSTLY = 0.6  # pieces with more of their darkness in the ink are ink as a whole
DARKEST = 0.02  # smallest grey of paper; makes dividing by it safe
OUTLIERS = 3.7  # median differences from the paper's grey; larger ones are print, edges and marks
SAME_GREY = 0.01  # difference that even paper may have
GRAIN_FACTOR = 4.0  # standard deviations of the paper's grain that are subtracted from the ink
MOST_GRAIN = 0.4  # of the depth of ink; more is not subtracted
FULL = 0.8  # quantile of the depths of ink: where it is 1
AROUND, RING = (np.ones((side, side), np.uint8) for side in (5, 17))
BLUR_PX = 3.0  # largest standard deviation of a blur; for more, the map is halved first
LEAST = np.float32(1e-3)  # share of paper that is taken from everywhere


def measure_depth(view: np.ndarray, ink: np.ndarray, size_px: float) -> np.ndarray:
    """Measure how dark the ink of characters is.

    Args:
        view: (H, W) float32 grey in [0, 1].
        ink: (H, W) float32 in [0, 1], as the network sees it.
        size_px: height of the writing's capitals.

    Returns:
        (H, W) float32 in [0, 1]: 1 where it is as dark as the pen writes, or as light as chalk.
    """
    inked = cv2.threshold(ink, NEAR, 1, cv2.THRESH_BINARY)[1]
    paper, grain = find_paper(view, cv2.dilate(inked, RING) - cv2.dilate(inked, AROUND), REACH * size_px)
    difference = paper - view
    is_dark = float((ink * difference).sum()) >= 0
    light = np.maximum(paper if is_dark else 1 - paper, DARKEST)
    depth = (difference if is_dark else -difference) / light
    full = max(quantile(depth[ink >= min(SURE, ink.max())], FULL), DARKEST)
    floor = min(GRAIN_FACTOR * grain, MOST_GRAIN * full)
    dark = np.minimum(np.maximum((depth - floor) / (full - floor), 0), 1)
    seen = np.asarray(dark * cv2.dilate(ink, BESIDE), np.float32)
    return with_missed(without_doubtful(seen, ink), dark, MISSED * size_px)


def without_doubtful(kept: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Remove the pieces of (H, W) ink of which the network is less sure than of others, such as corners of boxes."""
    count, pieces = cv2.connectedComponents((kept > INK_THRESHOLD).astype(np.uint8), connectivity=8)
    if count == 1:
        return kept
    surest = np.zeros(count, np.float32)
    np.maximum.at(surest, pieces.ravel().astype(np.intp), ink.ravel())
    areas = np.bincount(pieces.ravel(), minlength=count)
    doubtful = surest < DOUBTFUL * weighted_median(surest[1:], areas[1:])
    doubtful[0] = False
    if not doubtful.any():
        return kept
    return np.where(with_edges(pieces, doubtful), 0, kept).astype(np.float32)


def with_missed(kept: np.ndarray, dark: np.ndarray, longest_px: float) -> np.ndarray:
    """Add to (H, W) ink what the network missed of pieces that are ink for the most part, such as the end of a stroke.

    Long parts hang together with the piece but are print, such as a ruled line, and stay left out.

    Args:
        kept: the ink so far.
        dark: all that is dark, with print and other marks; both (H, W) float32 in [0, 1].
        longest_px: side of a part that is added.
    """
    count, pieces = cv2.connectedComponents((dark > INK_THRESHOLD).astype(np.uint8), connectivity=8)
    masses, inks = (np.bincount(pieces.ravel(), weights=each.ravel(), minlength=count) for each in (dark, kept))
    whole = (inks >= MOSTLY * masses) & (inks < masses)
    whole[0] = False
    found = np.where(with_edges(pieces, whole), dark, kept)
    missed = ((found > INK_THRESHOLD) & (kept <= INK_THRESHOLD)).astype(np.uint8)
    _, parts, boxes, _ = cv2.connectedComponentsWithStats(missed, connectivity=8)
    is_long = boxes[:, (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)].max(axis=1) > longest_px
    is_long[0] = False
    return np.where(with_edges(parts, is_long), kept, found).astype(np.float32)


def find_paper(view: np.ndarray, is_paper: np.ndarray, reach_px: float) -> tuple[np.ndarray, float]:
    """Estimate the grey of the paper at each pixel, also under the ink, and its grain as a standard deviation.

    It is the mean over paper near by. A second look leaves out what differs much from the first: print and edges.

    Args:
        view: (H, W) float32 grey in [0, 1].
        is_paper: (H, W) float32, 1 where there is mostly paper, 0 elsewhere.
        reach_px: as `measure_depth`.
    """
    if not is_paper.any():
        is_paper = np.ones_like(is_paper)
    paper = local_mean(view, is_paper, reach_px)
    distance = np.abs(view - paper)
    usual = distance <= OUTLIERS * quantile(distance[is_paper > 0], HALF) + SAME_GREY
    plain = is_paper * usual
    paper = local_mean(view, plain, reach_px)
    return paper, float(cv2.meanStdDev(view - paper, mask=plain.astype(np.uint8))[1][0, 0])


def local_mean(values: np.ndarray, weights: np.ndarray, reach_px: float) -> np.ndarray:
    """Average (H, W) values with a Gaussian window over pixels with weight; far from any, over all of them."""
    height, width = values.shape
    levels = max(0, math.ceil(math.log2(reach_px / BLUR_PX)))
    step = 2**levels
    weighed, share = (
        cv2.copyMakeBorder(each, 0, -height % step, 0, -width % step, cv2.BORDER_REPLICATE)
        for each in (values * weights, weights)
    )
    everywhere = float(weighed.sum() / share.sum())
    for _ in range(levels):
        weighed, share = halved(weighed), halved(share)
    weighed, share = (cv2.GaussianBlur(each, (0, 0), reach_px / step) for each in (weighed, share))
    mean = (weighed + LEAST * everywhere) / (share + LEAST)
    if levels:
        mean = cv2.resize(mean, (mean.shape[1] * step, mean.shape[0] * step), interpolation=cv2.INTER_LINEAR)
    return np.asarray(mean[:height, :width], np.float32)
