"""Estimates the paper of a picture: its grey at each pixel, also under the ink, and its grain."""

from statistics import NormalDist

import numpy as np
from PIL import Image, ImageFilter

EVEN_PAPER = 0.02  # largest spread of the border's grey on paper that is drawn or scanned, not photographed
DARKEST = 0.02  # smallest grey of paper; makes dividing by it safe
MIN_RANGE = 0.03  # range of grey; a picture with less is blank
NEAR = (0.3, 5.2)  # 5.2 times the 30th percentile of distances: two standard deviations of normal noise
FIT_PASSES = 5  # of fitting the paper's grey, each without the ink that the last one found
MAP_PX = 64  # longest side of the copy on which polarity and lighting are measured
LIGHT_SIDE = (0.85, 0.95)  # quantiles of grey that are paper even in tight crops with a bold pen


def border_of(grey: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of (H, W) values as one row."""
    return np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])


def find_paper(grey: np.ndarray) -> tuple[np.ndarray | float, float]:
    """Estimate the paper's grey and grain.

    Args:
        grey: (H, W) float32 in [0, 1], ink darker than paper.

    Returns:
        the paper's grey, one value or (H, W); its grain as a standard deviation, 0 for even paper.
    """
    border = border_of(grey)
    low, high = np.percentile(border, (10, 90))
    if high - low <= EVEN_PAPER:
        return float(np.median(border)), 0.0
    envelope = lighting(grey)
    paper, grain = light_side(grey / envelope)  # the closing follows the lightest grains, paper is a little darker
    return envelope * max(paper, DARKEST), grain / max(paper, DARKEST)


def light_side(values: np.ndarray) -> tuple[float, float]:
    """Estimate mean and standard deviation of paper from the light side of the histogram, which is free of ink.

    Exact for normally distributed grain.
    """
    light, lighter = np.quantile(values, LIGHT_SIDE)
    normal_light, normal_lighter = (NormalDist().inv_cdf(quantile) for quantile in LIGHT_SIDE)
    deviation = float(lighter - light) / (normal_lighter - normal_light)
    return float(light) - normal_light * deviation, deviation


def lighting(grey: np.ndarray) -> np.ndarray:
    """Estimate (H, W) paper grey, also under the ink: a gradient of light across the page, then shadows.

    A morphological closing fills what is narrower than its window: it removes strokes and keeps shadows. A gradient at
    the picture's edge would look like ink to it, so the gradient is divided out first.
    """
    height, width = grey.shape
    small = shrink(grey)
    slope = fit_slope(small)
    level = Image.fromarray(small / slope).filter(ImageFilter.MedianFilter(3))
    window = max(3, min(small.shape) // 3) | 1  # the filters need an odd size
    shadows = level.filter(ImageFilter.MaxFilter(window)).filter(ImageFilter.MinFilter(window))
    paper = Image.fromarray(np.asarray(shadows) * slope).resize((width, height), Image.Resampling.BICUBIC)
    lightened: np.ndarray = np.maximum(np.asarray(paper), DARKEST)
    return lightened


def shrink(grey: np.ndarray) -> np.ndarray:
    """Reduce (H, W) float32 grey values to at most MAP_PX a side, by area."""
    small = Image.fromarray(grey)
    small.thumbnail((MAP_PX, MAP_PX), Image.Resampling.BOX)
    return np.asarray(small)


def border_plane(grey: np.ndarray) -> np.ndarray:
    """Fit a plane to the border of (h, w) grey values, and return its value at each pixel."""
    terms = surface_terms(grey.shape)[:, :3]
    border = border_of(np.arange(grey.size).reshape(grey.shape))
    values = grey.ravel()[border]
    plane: np.ndarray = terms @ fit_robustly(terms[border], values, start=float(np.median(values)))
    return plane.reshape(grey.shape)


def fit_slope(grey: np.ndarray) -> np.ndarray:
    """Fit a quadratic surface to the paper of (h, w) grey values."""
    terms = surface_terms(grey.shape)
    weights = fit_robustly(terms, grey.ravel(), start=float(np.quantile(grey, LIGHT_SIDE[0])))
    surface: np.ndarray = np.maximum(terms @ weights, DARKEST)
    return surface.reshape(grey.shape).astype(np.float32)


def surface_terms(shape: tuple[int, int]) -> np.ndarray:
    """Return (h * w, 6) float32 terms of a quadratic surface: 1, x, y, x^2, xy, y^2, with x and y in [-1, 1]."""
    y = np.repeat(np.linspace(-1, 1, shape[0], dtype=np.float32), shape[1])
    x = np.tile(np.linspace(-1, 1, shape[1], dtype=np.float32), shape[0])
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


def fit_robustly(terms: np.ndarray, values: np.ndarray, start: float) -> np.ndarray:
    """Fit values by least squares, without outliers, which are ink.

    Args:
        terms: (n, k) float32; the first is 1.
        values: (n,) float32 grey.
        start: grey of the paper, a first guess.

    Returns:
        (k,) float32 weights of the terms.
    """
    weights = np.zeros(terms.shape[1], np.float32)
    weights[0] = start
    quantile, factor = NEAR
    for _ in range(FIT_PASSES):
        distance = np.abs(values - terms @ weights)
        near = distance <= max(factor * np.quantile(distance, quantile), MIN_RANGE)
        weights = np.linalg.lstsq(terms[near], values[near], rcond=None)[0]
    return weights
