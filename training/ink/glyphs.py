"""Ink of single characters in any size and pen, drawn from the frames of a data set."""

import cv2
import numpy as np

WORK_PX = 96  # longest side at which strokes are thinned
TURN_DEG = 12.0
SLANT = 0.25
STRETCH = 0.15
FINEST = 0.6  # share of a stroke's radius that thinning takes at most


def with_bar(frame: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add a straight bar to a (28, 28) uint8 frame, at the foot, the head or between, as long as its character is wide.

    The network learns from it that a bar which touches a character, and does not go on beyond it, is part of it.
    """
    left, top, width, height = cv2.boundingRect((frame > 0).astype(np.uint8))
    y = top + generator.choice([0.0, 1.0, generator.uniform(0.2, 0.8)], p=[0.3, 0.5, 0.2]) * (height - 1)
    start, end = left - 0.1 * width, left + generator.uniform(0.8, 1.15) * width
    lean = generator.uniform(-0.12, 0.12) * width
    barred = frame.copy()
    ends = [
        (round(max(1.0, min(26.0, x)) * 16), round(max(1.0, min(26.0, row)) * 16))
        for x, row in ((start, y + lean), (end, y - lean))
    ]
    cv2.line(barred, ends[0], ends[1], 255, int(generator.integers(1, 4)), cv2.LINE_AA, 4)
    return barred


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
        window = 2 * round(radius) + 1
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
