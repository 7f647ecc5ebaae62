"""Ink of single characters in any size and pen, drawn from the frames of a data set."""

import cv2
import numpy as np

from handwriting.preprocess import FRAME_PX

WORK_PX = 96  # longest side at which strokes are thinned
TURN_DEG = 12.0
SLANT = 0.25
STRETCH = 0.15
FINEST = 0.75  # share of a stroke's radius that thinning takes at most


LETTERS = "0123456789" * 3 + "ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
SIMPLE_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX)


def simple_frames(count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw digits and letters of simple strokes, with the straight feet and heads that MNIST's writers seldom make.

    Returns:
        (count, 28, 28) uint8, 255 is ink.

    The fonts are those that OpenCV brings along.
    """
    frames = np.zeros((count, FRAME_PX, FRAME_PX), np.uint8)
    for frame in frames:
        page = np.zeros((80, 80), np.uint8)
        font = int(generator.choice(SIMPLE_FONTS))
        letter = LETTERS[generator.integers(len(LETTERS))]
        size = 3.6 if font == cv2.FONT_HERSHEY_PLAIN else 1.7
        cv2.putText(page, letter, (16, 60), font, size, 255, int(generator.integers(2, 9)), cv2.LINE_AA)
        left, top, width, height = cv2.boundingRect(page)
        scale = 20 / max(width, height, 1)
        shape = (max(1, round(width * scale)), max(1, round(height * scale)))
        glyph = cv2.resize(page[top : top + height, left : left + width], shape, interpolation=cv2.INTER_AREA)
        frame[4 : 4 + shape[1], 4 : 4 + shape[0]] = glyph
    return frames


def draw_glyph(frame: np.ndarray, side_px: float, generator: np.random.Generator, *, fine: bool = True) -> np.ndarray:
    """Draw a character of a data set larger, in another pen and pose.

    Args:
        frame: (28, 28) uint8, 255 is ink.
        side_px: longest side of the character in px.
        generator: of pen and pose.
        fine: whether the pen may be finer than the data set's, as a ballpoint's is.

    Returns:
        (H, W) float32 in [0, 1], cropped; 1 is ink.
    """
    left, top, width, height = cv2.boundingRect((frame > 0).astype(np.uint8))
    glyph = np.pad(frame[top : top + height, left : left + width].astype(np.float32) / 255, 3)
    large = cv2.resize(glyph, None, fx=(scale := WORK_PX / max(width, height)), fy=scale, interpolation=cv2.INTER_CUBIC)
    large = cv2.GaussianBlur(large, (0, 0), 0.3 * scale)
    solid = (large > generator.uniform(0.3, 0.5)).astype(np.uint8)
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    if fine and generator.random() < 0.7:  # noqa: PLR2004
        radius = float(np.percentile(depth[depth > 0], 90)) if solid.any() else 1.0
        window = 2 * round(1.5 * radius) + 1
        ridge = cv2.dilate(depth, np.ones((window, window), np.uint8))
        depth = depth - generator.uniform(0, FINEST) * ridge
        solid = (depth > 0).astype(np.uint8)
    return pose(solid.astype(np.float32), side_px / WORK_PX, generator)


def pose(ink: np.ndarray, scale: float, generator: np.random.Generator) -> np.ndarray:
    """Turn, slant, stretch and scale ink, in one interpolation after a smoothing that fits the scale; cropped."""
    ink = cv2.GaussianBlur(ink, (0, 0), max(1.0, 0.4 / scale))
    angle = np.radians(generator.uniform(-TURN_DEG, TURN_DEG))
    wide, high = scale * (1 + generator.uniform(-STRETCH, STRETCH, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[wide, generator.uniform(-SLANT, SLANT) * wide], [0, high]])
    corners = matrix @ np.array([[0, ink.shape[1], 0, ink.shape[1]], [0, 0, ink.shape[0], ink.shape[0]]])
    low, size = corners.min(axis=1), np.ceil(np.ptp(corners, axis=1)).astype(int) + 1
    affine = np.column_stack([matrix, -low]).astype(np.float32)
    drawn = cv2.warpAffine(ink, affine, (int(size[0]), int(size[1])), flags=cv2.INTER_LINEAR)
    if scale >= 1:
        drawn = np.clip((drawn - 0.5) * max(1.0, 1.5 * scale) + 0.5, 0, 1)
    left, top, width, height = cv2.boundingRect((drawn > 0.1).astype(np.uint8))  # noqa: PLR2004
    return np.asarray(drawn[top : top + height, left : left + width], np.float32)
