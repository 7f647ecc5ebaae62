"""Digits as pen strokes: the project's own handwriting, for example pictures and for tests that draw in a browser."""

import math
import random
from itertools import pairwise

Point = tuple[float, float]
Stroke = list[Point]

STEP = 0.02  # distance of neighbouring points, in sides of the canvas
TREMBLE = 0.0014  # standard deviation of the hand's drift from point to point, in sides of the canvas
STEADY = 0.85  # how much of the drift is left at the next point: 1 would wander off, 0 would only be rough


def line(corners: str) -> Stroke:
    """Return a dense polyline through corners, written as in "30,21 70,21 44,84"."""
    points = _points(corners)
    stroke = points[:1]
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = max(1, round(math.dist((x0, y0), (x1, y1)) / STEP))
        stroke += [(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps) for i in range(1, steps + 1)]
    return stroke


def curve(knots: str) -> Stroke:
    """Return a smooth stroke through knots, written as the corners of a line: a Catmull-Rom spline."""
    points = _points(knots)
    stroke = points[:1]
    ends = [points[0], *points, points[-1]]
    for p0, p1, p2, p3 in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        steps = max(2, round(math.dist(p1, p2) / STEP))
        stroke += [_between(p0, p1, p2, p3, i / steps) for i in range(1, steps + 1)]
    return stroke


def _points(text: str) -> Stroke:
    return [(float(x) / 100, float(y) / 100) for x, y in (point.split(",") for point in text.split())]


def _between(p0: Point, p1: Point, p2: Point, p3: Point, t: float) -> Point:
    def spline(a: float, b: float, c: float, d: float) -> float:
        return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)

    return spline(p0[0], p1[0], p2[0], p3[0]), spline(p0[1], p1[1], p2[1], p3[1])


def hand(
    strokes: list[Stroke], slant: float = 0, size: float = 1, shift: Point = (0, 0), seed: int = 0
) -> list[Stroke]:
    """Write a digit as a person would: slanted, smaller or larger, off centre, and not quite steadily.

    Args:
        strokes: points in [0, 1] x [0, 1], y downwards.
        slant: how far the top leans right, as a share of the height.
        size: factor about the canvas' centre.
        shift: of the whole digit, in sides of the canvas.
        seed: of the tremble.
    """
    chance = random.Random(seed)  # nosec B311 # noqa: S311 - handwriting

    def move(x: float, y: float) -> Point:
        x, y = x - 0.5 + slant * (0.5 - y), y - 0.5
        return 0.5 + size * x + shift[0], 0.5 + size * y + shift[1]

    return [_trembled([move(*point) for point in stroke], chance) for stroke in strokes]


def _trembled(stroke: Stroke, chance: random.Random) -> Stroke:
    dx = dy = 0.0
    moved = []
    for x, y in stroke:
        dx, dy = (STEADY * drift + chance.gauss(0, TREMBLE) for drift in (dx, dy))
        moved.append((x + dx, y + dy))
    return moved
