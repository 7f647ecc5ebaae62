"""Digits as pen strokes, in the project's own handwriting: for example pictures and tests that draw in a browser."""

import math
import random
from itertools import pairwise

Point = tuple[float, float]
Stroke = list[Point]

STEP = 0.02  # distance of neighbouring points, in sides of the canvas
TREMBLE = 0.0014  # standard deviation of the drift from point to point, in sides of the canvas
STEADY = 0.85  # share of the drift that is left at the next point


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
    """Slant, scale and shift a digit, and add the tremble of a hand.

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


# Three ways of writing each digit: corners and knots as "x,y" in hundredths of the canvas, y downwards
_TEARDROP = curve("58,20 42,24 31,42 33,66 47,80 62,72 69,50 65,29 53,19")
_OVAL = curve("50,16 37,22 30,42 31,64 40,82 52,85 64,75 70,52 66,28 55,17 47,18")
_ROUND = curve("55,22 36,25 25,43 27,64 42,78 61,76 74,60 73,38 60,24 50,22")

_TWO = curve("32,34 37,22 50,17 63,23 66,37 57,54 43,69 31,81") + line("31,81 72,80")
_LOOPED_TWO = curve("30,32 40,20 56,19 65,31 59,50 45,68 34,79 28,75 34,70 46,76 58,82 72,77")
_SWAN_TWO = curve("35,27 46,17 60,19 66,32 60,48 48,63 34,79 45,78 58,80 71,77")

_THREE = curve("34,24 46,17 60,21 63,33 55,43 44,47 45,47 59,51 67,63 61,77 47,83 33,77")
_FLAT_THREE = line("33,20 65,20 47,44") + curve("47,44 60,46 68,58 63,74 49,82 32,76")
_WIDE_THREE = curve("29,29 40,18 57,18 65,29 57,42 42,48 43,49 60,52 71,65 63,80 45,84 28,73")

_FIVE_BOWL = curve("37,46 50,41 64,48 68,63 60,78 45,83 31,76")
_FIVE_S = line("65,20 40,21 36,46") + curve("36,46 48,41 62,47 67,61 59,76 44,82 31,77")

_SIX = curve("60,17 45,30 35,50 34,68 43,82 57,82 66,70 61,57 49,53 38,61 35,68")
_CURLED_SIX = curve("66,25 56,18 43,26 34,45 33,66 41,81 56,83 67,73 65,60 53,53 41,57 34,68")
_STRAIGHT_SIX = curve("47,15 40,33 34,54 34,71 43,83 58,82 65,69 58,58 45,58 35,67")

_EIGHT = curve("60,26 51,17 39,20 36,32 45,43 58,53 65,68 58,81 45,83 35,73 39,58 52,46 62,35 60,25")
_SNOWMAN_EIGHT = [
    curve("50,17 38,22 37,37 48,46 60,39 62,25 52,17 48,18"),
    curve("50,47 36,54 32,70 42,83 58,83 68,70 63,54 49,47"),
]
_OPEN_EIGHT = curve("64,23 52,18 39,23 39,36 52,46 63,58 65,72 54,83 40,79 36,66 45,52 58,39 65,26")

_NINE_HEAD = curve("63,28 53,18 40,22 34,36 41,48 54,46 63,32")
_NINE = _NINE_HEAD + curve("63,32 63,50 60,68 55,84")
_HOOKED_NINE = _NINE_HEAD + curve("63,30 65,52 61,73 49,83 36,77")
_STICK_NINE = _NINE_HEAD + line("63,32 62,26 62,84")

DIGIT_STROKES: dict[str, list[list[Stroke]]] = {
    "0": [
        hand([_OVAL], slant=0.05, seed=1),
        hand([_ROUND], size=0.9, shift=(-0.02, 0.03), seed=2),
        hand([_TEARDROP], slant=0.2, size=1.05, seed=3),
    ],
    "1": [
        hand([line("50,16 50,84")], slant=0.08, seed=4),
        hand([line("38,32 53,17 53,83")], slant=0.1, shift=(0.02, 0), seed=5),
        hand([line("50,18 49,80")], slant=0.32, size=0.85, shift=(-0.04, 0.02), seed=6),
    ],
    "2": [
        hand([_TWO], seed=7),
        hand([_LOOPED_TWO], slant=0.12, size=0.95, shift=(0.02, 0.02), seed=8),
        hand([_SWAN_TWO], slant=0.08, size=1.1, seed=9),
    ],
    "3": [
        hand([_THREE], slant=0.08, seed=10),
        hand([_FLAT_THREE], size=0.95, shift=(0.02, -0.02), seed=11),
        hand([_WIDE_THREE], slant=0.15, size=1.05, seed=12),
    ],
    "4": [
        hand([line("36,20 31,55 70,54"), line("62,19 61,84")], slant=0.06, seed=13),
        hand([line("56,17 28,60 72,60"), line("57,16 57,85")], seed=14),
        hand(
            [curve("37,24 33,40 37,53 50,54 66,48"), line("66,22 62,50 58,85")],
            slant=0.1,
            size=0.92,
            shift=(0.0, 0.03),
            seed=15,
        ),
    ],
    "5": [
        hand([line("40,20 37,46") + _FIVE_BOWL, line("40,20 67,19")], slant=0.05, seed=16),
        hand([_FIVE_S], slant=0.15, size=1.05, seed=17),
        hand([line("41,22 37,47") + _FIVE_BOWL, line("41,22 66,17")], size=0.88, shift=(-0.03, 0.02), seed=18),
    ],
    "6": [
        hand([_SIX], seed=19),
        hand([_CURLED_SIX], slant=0.1, size=0.95, shift=(0.02, 0), seed=20),
        hand([_STRAIGHT_SIX], slant=0.05, size=1.08, seed=21),
    ],
    "7": [
        hand([line("30,22 70,20 46,84")], seed=22),
        hand([line("30,21 70,21 44,84"), line("37,53 66,51")], slant=0.05, seed=23),
        hand(
            [line("32,30 33,20") + curve("33,20 50,23 69,19 58,42 50,62 46,83")], size=0.95, shift=(0.02, 0.01), seed=24
        ),
    ],
    "8": [
        hand([_EIGHT], slant=0.05, seed=25),
        hand(_SNOWMAN_EIGHT, size=0.95, shift=(-0.02, 0.01), seed=26),
        hand([_OPEN_EIGHT], slant=0.12, size=1.05, seed=27),
    ],
    "9": [
        hand([_NINE], slant=0.06, seed=28),
        hand([_HOOKED_NINE], size=0.98, shift=(0.01, 0), seed=29),
        hand([_STICK_NINE], slant=0.12, size=1.05, seed=30),
    ],
}
