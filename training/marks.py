"""Drawings that no data set has: marks that are no characters, and ones and sevens as Germans and Poles write them."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

SIDE_PX, SIZE_PX = 28, 17.5  # of a drawing and of what is drawn
SHIFT = 4  # bits of a pixel's fraction in coordinates of cv2
PEN_PX = (1.0, 2.9)
DOT_PX = 2  # smallest width of a dot
WOBBLE = 0.02  # of the drawing's side, as a standard deviation

Stroke = Sequence[tuple[float, float]]  # points x, y; the drawing reaches from 0 to 1
Mark = Callable[[np.random.Generator], list[Stroke]]


def draw(strokes: Sequence[Stroke], generator: np.random.Generator) -> np.ndarray:
    """Draw strokes with the wobble of a hand: (28, 28) uint8, 255 is ink."""
    every = np.concatenate([np.asarray(stroke, float) for stroke in strokes])
    low, size = every.min(axis=0), max(float(np.ptp(every, axis=0).max()), 0.02)
    middle = (every.min(axis=0) + every.max(axis=0)) / 2 - low
    canvas = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    width = max(1, round(generator.uniform(*PEN_PX)))
    for stroke in strokes:
        points = (np.asarray(stroke, float) - low - middle) / size
        points = points + generator.normal(0, WOBBLE, points.shape)
        fixed = np.round((SIDE_PX / 2 + points * SIZE_PX) * 2**SHIFT).astype(np.int32)
        cv2.polylines(canvas, [fixed[:, None]], False, 255, width, cv2.LINE_AA, SHIFT)
        if np.ptp(points, axis=0).max() * SIZE_PX < DOT_PX:  # a fine pen's dot would be too faint to be seen
            middle = fixed.mean(axis=0).astype(int).tolist()
            cv2.circle(canvas, middle, DOT_PX << SHIFT - 1, 255, -1, cv2.LINE_AA, SHIFT)
    return canvas


def draw_one(generator: np.random.Generator) -> np.ndarray:
    """Draw a 1 with a long upstroke, sometimes with a foot: (28, 28) uint8."""
    between = generator.uniform
    length, angle = between(0.35, 0.95), np.radians(between(33, 68))
    lean = between(-0.05, 0.25)
    top, foot = (lean, 0.0), (0.0, 1.0)
    start = (lean - length * np.cos(angle), length * np.sin(angle))
    bow = (lean - 0.45 * length * np.cos(angle) + between(0, 0.06), 0.5 * length * np.sin(angle) + between(0, 0.06))
    strokes: list[Stroke] = [[start, bow, top, foot]]
    if generator.random() < 0.2:  # noqa: PLR2004
        strokes.append([(-between(0.1, 0.3), 1.0), (between(0.1, 0.3), 1.0)])
    return draw(strokes, generator)


def draw_seven(generator: np.random.Generator) -> np.ndarray:
    """Draw a 7, with or without a bar through its stem: (28, 28) uint8."""
    between = generator.uniform
    wide, fall = between(0.4, 0.75), between(-0.1, 0.12)
    foot = (wide * between(0.1, 0.5), 1.0)
    knee = (wide * 0.72 + between(-0.03, 0.06), 0.35)
    strokes: list[Stroke] = [[(0.0, fall), (wide, 0.0), knee, foot]]
    if generator.random() < 0.3:  # noqa: PLR2004
        strokes[0] = [(0.0, between(0.12, 0.25)), *strokes[0]]
    if generator.random() < 0.6:  # noqa: PLR2004
        y, reach, rise = between(0.42, 0.62), between(0.15, 0.3), between(-0.08, 0.08)
        strokes.append([(knee[0] - reach, y + rise), (knee[0] + reach, y - rise)])
    return draw(strokes, generator)


def draw_mark(generator: np.random.Generator, kinds: Sequence[Mark] | None = None) -> np.ndarray:
    """Draw a mark of a random one of some kinds, by default of all MARKS: (28, 28) uint8."""
    kinds = kinds or MARKS
    return draw(kinds[generator.integers(len(kinds))](generator), generator)


def ring(x: float, y: float, reach: float, begin: float = 0.0, end: float = 2 * np.pi) -> Stroke:
    """Return an arc around a point."""
    angles = np.linspace(begin, end, 14)
    return [(x + reach * float(np.cos(angle)), y + reach * float(np.sin(angle))) for angle in angles]


def dash(generator: np.random.Generator) -> list[Stroke]:
    """Return one or two lines that lie."""
    rise = generator.uniform(-0.15, 0.15)
    lines: list[Stroke] = [[(0, 0), (1, rise)]]
    if generator.random() < 0.3:  # noqa: PLR2004
        gap = generator.uniform(0.25, 0.5)
        lines.append([(0, gap), (1, gap + rise)])
    return lines


def plus(generator: np.random.Generator) -> list[Stroke]:
    """Return a plus, sometimes as high as a cross on a grave."""
    at, reach = generator.uniform(0.3, 0.6), generator.uniform(0.25, 0.5)
    return [[(0.5, 0), (0.5, 1)], [(0.5 - reach, at), (0.5 + reach, at)]]


def cross(generator: np.random.Generator) -> list[Stroke]:
    """Return a cross of two slanting lines."""
    a, b, c, d = generator.uniform(-0.1, 0.2, 4)
    return [[(a, b), (1 - c, 1 - d)], [(1 - b, c), (d, 1 - a)]]


def tick(generator: np.random.Generator) -> list[Stroke]:
    """Return a tick."""
    x, y = generator.uniform(0.2, 0.4), generator.uniform(0.75, 1)
    return [[(0, generator.uniform(0.4, 0.7)), (x, y), (1, generator.uniform(0, 0.2))]]


def question(generator: np.random.Generator) -> list[Stroke]:
    """Return a question mark."""
    hook = ring(0.3, 0.25, 0.25, -np.pi * generator.uniform(0.9, 1.1), np.pi * generator.uniform(0.3, 0.5))
    dot = generator.uniform(0.92, 1.0)
    return [[*hook, (0.3, 0.55), (0.3, generator.uniform(0.65, 0.78))], [(0.29, dot), (0.31, dot)]]


def exclamation(generator: np.random.Generator) -> list[Stroke]:
    """Return an exclamation mark."""
    lean = generator.uniform(-0.1, 0.1)
    return [[(lean, 0), (0, 0.7)], [(-0.01, 1), (0.01, 1)]]


def scribble(generator: np.random.Generator) -> list[Stroke]:
    """Return a zigzag or a random line that goes on and on."""
    count = int(generator.integers(6, 22))
    if generator.random() < 0.5:  # noqa: PLR2004
        zigzag = np.column_stack([np.linspace(0, 1, count), np.arange(count) % 2 * generator.uniform(0.3, 1)])
        zigzag += generator.normal(0, 0.06, zigzag.shape)
        return [zigzag[:, ::-1].tolist() if generator.random() < 0.3 else zigzag.tolist()]  # noqa: PLR2004
    steps = np.cumsum(generator.normal(0, 1, (count, 2)), axis=0)
    return [steps.tolist()]


def smiley(generator: np.random.Generator) -> list[Stroke]:
    """Return a face."""
    eye, mouth = generator.uniform(0.12, 0.22), generator.uniform(0.15, 0.3)
    eyes = [[(0.5 + side * eye, 0.35), (0.5 + side * eye, 0.4)] for side in (-1, 1)]
    return [ring(0.5, 0.5, 0.5), *eyes, ring(0.5, 0.5, mouth + 0.1, 0.15 * np.pi, 0.85 * np.pi)]


def star(generator: np.random.Generator) -> list[Stroke]:
    """Return an asterisk, or a star of five points."""
    if generator.random() < 0.5:  # noqa: PLR2004
        angles = generator.uniform(0, np.pi) + np.arange(3) * np.pi / 3
        return [
            [
                (0.5 - 0.5 * float(np.cos(a)), 0.5 - 0.5 * float(np.sin(a))),
                (0.5 + 0.5 * float(np.cos(a)), 0.5 + 0.5 * float(np.sin(a))),
            ]
            for a in angles
        ]
    angles = -np.pi / 2 + np.arange(6) * 4 * np.pi / 5
    return [[(0.5 + 0.5 * float(np.cos(a)), 0.5 + 0.5 * float(np.sin(a))) for a in angles]]


def hashes(generator: np.random.Generator) -> list[Stroke]:
    """Return a hash or a few parallel lines."""
    lean = generator.uniform(0, 0.2)
    count = int(generator.integers(2, 5))
    upright: list[Stroke] = [[(x + lean, 0), (x, 1)] for x in np.linspace(0.25, 0.75, count)]
    if generator.random() < 0.4:  # noqa: PLR2004
        return upright
    return [*upright, [(0, 0.33), (1, 0.3)], [(0, 0.66), (1, 0.63)]]


def arrow(generator: np.random.Generator) -> list[Stroke]:
    """Return an arrow in any direction."""
    size, turn = generator.uniform(0.2, 0.4), generator.uniform(0, 2 * np.pi)
    strokes = np.array([[0, 0], [1, 0], [1 - size, size], [1, 0], [1 - size, -size]])
    turned = strokes @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return [turned[:2].tolist(), turned[2:].tolist()]


def shape(generator: np.random.Generator) -> list[Stroke]:
    """Return a rectangle, a triangle or another polygon, sometimes with its diagonals."""
    count = int(generator.integers(3, 7))
    angles = generator.uniform(0, np.pi) + np.arange(count + 1) * 2 * np.pi / count
    corners = np.column_stack([np.cos(angles), np.sin(angles)]) * generator.uniform(0.6, 1, 2)
    strokes = [corners.tolist()]
    if generator.random() < 0.3:  # noqa: PLR2004
        strokes.append([corners[0].tolist(), corners[count // 2].tolist()])
    return strokes


def spiral(generator: np.random.Generator) -> list[Stroke]:
    """Return a spiral."""
    angles = np.linspace(0, generator.uniform(3, 6) * np.pi, 40)
    turned = angles + generator.uniform(0, 2 * np.pi)
    return [np.column_stack([angles * np.cos(turned), angles * np.sin(turned)]).tolist()]


def heart(generator: np.random.Generator) -> list[Stroke]:
    """Return a heart."""
    t = np.linspace(0, 2 * np.pi, 24)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t)
    return [np.column_stack([16 * np.sin(t) ** 3 * generator.uniform(0.8, 1.2), -y]).tolist()]


def bracket(generator: np.random.Generator) -> list[Stroke]:
    """Return an opening or a closing bracket, round, square, pointed or curly; a flat round one would be a 1."""
    width, kind = generator.uniform(0.2, 0.4), generator.integers(4)
    if kind == 0:
        y = np.linspace(0, 1, 12)
        points = np.column_stack([width * (2 * y - 1) ** 2, y])
    else:
        half = width / 2
        corners = {
            1: [(width, 0), (0, 0), (0, 1), (width, 1)],
            2: [(2 * width, 0), (0, 0.5), (2 * width, 1)],
            3: [(width, 0), (half, 0.1), (half, 0.4), (0, 0.5), (half, 0.6), (half, 0.9), (width, 1)],
        }
        points = np.array(corners[int(kind)])
    if generator.random() < 0.5:  # noqa: PLR2004
        points[:, 0] *= -1
    return [points.tolist()]


def sign(generator: np.random.Generator) -> list[Stroke]:
    """Return a percent sign, a division sign, an at sign or a currency's."""
    kind = generator.integers(4)
    if kind == 0:
        return [ring(0.15, 0.2, 0.15), ring(0.85, 0.8, 0.15), [(1, 0), (0, 1)]]
    if kind == 1:
        return [[(0, 0.5), (1, 0.5)], [(0.49, 0.15), (0.51, 0.15)], [(0.49, 0.85), (0.51, 0.85)]]
    if kind == 2:  # noqa: PLR2004
        return [ring(0.5, 0.5, 0.2), ring(0.5, 0.5, 0.5, 0.1, 1.85 * np.pi), [(0.7, 0.3), (0.72, 0.7)]]
    bow = ring(0.5, 0.5, 0.45, 0.3 * np.pi, 1.7 * np.pi)
    return [bow, [(0, 0.42), (0.6, 0.42)], [(0, 0.58), (0.55, 0.58)]]


COMMON_MARKS: Sequence[Mark] = (dash, plus, tick, cross, question, scribble, smiley)
MARKS: Sequence[Mark] = (
    dash,
    plus,
    cross,
    tick,
    question,
    exclamation,
    scribble,
    scribble,
    smiley,
    star,
    hashes,
    arrow,
    shape,
    spiral,
    heart,
    bracket,
    bracket,
    sign,
)
