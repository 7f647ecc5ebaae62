"""Pictures of characters as people send them, with the truth: which of their ink is the character's.

A scene is put together in the order in which it comes about: paper with its print, ink, what lies around the paper,
light, and the camera, scanner or screen.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from PIL import Image

from training.ink.glyphs import draw_glyph


@dataclass
class Scene:
    """A picture in the making.

    Attributes:
        grey: (H, W) float32 in [0, 1]; 1 is white.
        ink: (H, W) float32 in [0, 1]: ink of characters.
        marks: (H, W) float32 in [0, 1]: other marks of the pen.
        box: left, top, right, bottom of the characters that the picture is about, in px.
        cells: the box of each of them.
        is_empty: whether no character was drawn.
        pen: grey of the pen, as a share of the paper's.
        generator: of everything random.
    """

    grey: np.ndarray
    ink: np.ndarray
    marks: np.ndarray
    box: tuple[float, float, float, float]
    pen: float
    generator: np.random.Generator = field(repr=False)
    cells: list[tuple[float, float, float, float]] = field(default_factory=list)
    is_empty: bool = False

    @property
    def side(self) -> float:
        """Longest side of the character in px."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.grey.shape[0], self.grey.shape[1]

    def chance(self, share: float) -> bool:
        """Draw true with this probability."""
        return bool(self.generator.random() < share)

    def between(self, low: float, high: float) -> float:
        """Draw a number."""
        return float(self.generator.uniform(low, high))


EMPTY_SHARE = 0.06  # of the scenes without a character
FAINTEST = 0.04  # difference of grey between ink and paper
STRUCK_SHARE = 0.02  # of the scenes; with more, the network takes the bars of characters for it
Step = Callable[[Scene], None]
SHIFT = 4  # bits of a pixel's fraction in coordinates of cv2


def start(
    frames: Sequence[np.ndarray],
    generator: np.random.Generator,
    share: tuple[float, float],
    sides_px: tuple[int, int] = (110, 260),
) -> Scene:
    """Lay out a scene: empty paper of a random size, and a character on it, not yet inked.

    Args:
        frames: (28, 28) uint8 each; the first is the character.
        generator: of everything random.
        share: limits of the character's longest side, as a share of the picture's shorter side.
        sides_px: limits of the picture's sides.
    """
    height, width = (int(generator.integers(*sides_px)) for _ in range(2))
    if generator.random() < 0.5:  # noqa: PLR2004
        width = height
    side = min(height, width) * float(np.exp(generator.uniform(*np.log(share))))
    glyph = draw_glyph(frames[0], side, generator)
    room_y, room_x = max(0, height - glyph.shape[0]), max(0, width - glyph.shape[1])
    glyph = glyph[:height, :width]
    spread = generator.choice([0.25, 1.0])
    top = round(room_y * (0.5 + spread * generator.uniform(-0.5, 0.5)))
    left = round(room_x * (0.5 + spread * generator.uniform(-0.5, 0.5)))
    grey = np.full(
        (height, width), generator.choice([generator.uniform(0.6, 1), generator.uniform(0.92, 1)]), np.float32
    )
    scene = Scene(
        grey,
        np.zeros_like(grey),
        np.zeros_like(grey),
        (left, top, left + glyph.shape[1], top + glyph.shape[0]),
        float(generator.choice([generator.uniform(0, 0.45), generator.uniform(0.3, 0.75)], p=[0.8, 0.2])),
        generator,
    )
    scene.ink[top : top + glyph.shape[0], left : left + glyph.shape[1]] = glyph
    scene.cells.append(scene.box)
    return scene


# Paper


def texture(scene: Scene) -> None:
    """Give the paper a grain and stains."""
    height, width = scene.shape
    coarse = scene.generator.normal(0, scene.between(0, 0.025), (max(2, height // 12), max(2, width // 12)))
    scene.grey += cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    scene.grey += scene.generator.normal(0, scene.between(0, 0.012), scene.shape).astype(np.float32)


def print_lines(scene: Scene, lines: Sequence[Sequence[float]], contrast: float, width_px: float) -> None:
    """Print straight lines: x0, y0, x1, y1 in px."""
    mask = line_mask(scene.shape, lines, width_px)
    scene.grey *= 1 - contrast * mask


def line_mask(shape: tuple[int, int], lines: Sequence[Sequence[float]], width_px: float) -> np.ndarray:
    """Draw lines with soft edges, also finer than a pixel: (H, W) float32 in [0, 1]."""
    mask = np.zeros(shape, np.uint8)
    for line in lines:
        x0, y0, x1, y1 = (round(float(value) * 2**SHIFT) for value in line)
        cv2.line(mask, (x0, y0), (x1, y1), 255, max(1, round(width_px)), cv2.LINE_AA, SHIFT)
    return mask.astype(np.float32) / 255 * min(1.0, width_px)


def parallel_lines(
    scene: Scene, spacing: float, slope: float, *, down: bool = False, start_px: float = 0.0
) -> list[list[float]]:
    """Lay parallel lines across the picture, one of which passes start_px."""
    height, width = scene.shape
    across, along = (width, height) if down else (height, width)
    lean = slope * along
    count = int((across + 2 * abs(lean)) / spacing) + 2
    first = start_px - spacing * np.ceil((start_px + abs(lean)) / spacing)
    rows = [first + spacing * i for i in range(count)]
    if down:
        return [[row, 0, row + lean, height] for row in rows]
    return [[0, row, width, row + lean] for row in rows]


def ruled(scene: Scene) -> None:
    """Rule lines; the character stands on one, or near it."""
    spacing = scene.side * scene.between(0.8, 3.0)
    slope = scene.between(-0.05, 0.05)
    middle = (scene.box[0] + scene.box[2]) / 2
    on = scene.box[3] + scene.side * scene.between(-0.3, 0.25) - slope * middle
    width_px, contrast = pen_of_print(scene)
    print_lines(scene, parallel_lines(scene, spacing, slope, start_px=on), contrast, width_px)
    if scene.chance(0.3):
        x = scene.between(0, scene.shape[1])
        print_lines(scene, [[x, 0, x - slope * scene.shape[0], scene.shape[0]]], contrast, width_px)


def squared(scene: Scene) -> None:
    """Print squares."""
    spacing = max(5.0, scene.side * scene.between(0.25, 1.6))
    slope = scene.between(-0.06, 0.06)
    width_px, contrast = pen_of_print(scene)
    lines = parallel_lines(scene, spacing, slope, start_px=scene.between(0, spacing))
    lines += parallel_lines(scene, spacing, -slope, down=True, start_px=scene.between(0, spacing))
    print_lines(scene, lines, contrast, width_px)
    if scene.chance(0.2):  # every fifth line is stronger
        print_lines(scene, [line for i, line in enumerate(lines) if i % 5 == 0], contrast, width_px)


def dotted(scene: Scene) -> None:
    """Print a grid of dots."""
    spacing = max(6.0, scene.side * scene.between(0.25, 1.2))
    radius = max(0.6, spacing * scene.between(0.03, 0.09))
    mask = np.zeros(scene.shape, np.uint8)
    for y in np.arange(scene.between(0, spacing), scene.shape[0], spacing):
        for x in np.arange(spacing / 2, scene.shape[1], spacing):
            centre = (round(x * 2**SHIFT), round(y * 2**SHIFT))
            cv2.circle(mask, centre, max(8, round(radius * 2**SHIFT)), 255, -1, cv2.LINE_AA, SHIFT)
    scene.grey *= 1 - scene.between(0.2, 0.7) * mask.astype(np.float32) / 255


def pen_of_print(scene: Scene) -> tuple[float, float]:
    """Draw width (px) and contrast of printed lines."""
    width_px = max(0.4, scene.side * float(np.exp(scene.between(*np.log((0.005, 0.05))))))
    return width_px, scene.between(0.12, 0.7) if scene.chance(0.75) else scene.between(0.6, 1.0)


def boxed(scene: Scene) -> None:
    """Print a box around the character, alone or in a row or a grid; sometimes the character crosses it."""
    left, top, right, bottom = scene.box
    size = min(scene.side, *(max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in scene.cells)) if scene.cells else scene.side
    margin = size * scene.generator.uniform(-0.12 if scene.chance(0.3) else 0.04, 0.5, 4)
    x0, y0, x1, y1 = left - margin[0], top - margin[1], right + margin[2], bottom + margin[3]
    lines: list[list[float]] = []
    if len(scene.cells) > 1 and scene.chance(0.7):  # each character in a box of its own
        ends = [(before[2] + after[0]) / 2 for before, after in pairwise(scene.cells) if after[0] > before[0]]
        edges = [x0, *ends, x1]
        lines += [[x, y0, x, y1] for x in edges] + [[x0, y0, x1, y0], [x0, y1, x1, y1]]
    else:
        lines += grid(scene, x0, y0, x1 - x0, y1 - y0)
    if scene.chance(0.15):  # a comb has no lid
        lines = [line for line in lines if line[1] != line[3] or line[1] > (y0 + y1) / 2]
    tilt = scene.between(-0.03, 0.03)
    lines = [[x - tilt * y, y + tilt * x, u - tilt * v, v + tilt * u] for x, y, u, v in lines]
    contrast = scene.between(0.3, 1.0)
    print_lines(scene, lines, contrast, max(0.6, size * scene.between(0.008, 0.07)))


def grid(scene: Scene, x0: float, y0: float, wide: float, high: float) -> list[list[float]]:
    """Lay out a box, alone or in a row or a grid of its like: lines of x0, y0, x1, y1 in px."""
    columns, rows = ((0, 0), (0, 0))
    if scene.chance(0.5):
        columns = tuple(int(n) for n in scene.generator.integers(0, 5, 2))
    if scene.chance(0.3):
        rows = tuple(int(n) for n in scene.generator.integers(0, 4, 2))
    gap = wide * scene.between(1.05, 1.3) if scene.chance(0.25) else wide
    lines: list[list[float]] = []
    for column in range(-columns[0], columns[1] + 1):
        for row in range(-rows[0], rows[1] + 1):
            a, b = x0 + column * gap, y0 + row * high
            lines += [
                [a, b, a + wide, b],
                [a + wide, b, a + wide, b + high],
                [a, b + high, a + wide, b + high],
                [a, b, a, b + high],
            ]
    return lines


def printed(scene: Scene) -> None:
    """Print some words around the character."""
    mask = np.zeros(scene.shape, np.uint8)
    letters = list("abcdefghiklmnoprstuvwxyzABDEGKLMNPRST0123456789.:-")
    for _ in range(scene.generator.integers(1, 4)):
        text = "".join(scene.generator.choice(letters, scene.generator.integers(3, 14)))
        size = scene.side * scene.between(0.1, 0.3) / 22
        y = (
            scene.box[1] - scene.side * scene.between(0.1, 0.6)
            if scene.chance(0.5)
            else scene.box[3] + scene.side * scene.between(0.35, 0.9)
        )
        font = int(
            scene.generator.choice([cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX])
        )
        place = (round(scene.between(-0.2, 0.8) * scene.shape[1]), round(y))
        cv2.putText(mask, text, place, font, max(0.2, size), 255, 1 if size < 0.7 else 2, cv2.LINE_AA)  # noqa: PLR2004
    mask[scene.ink > 0.1] = 0  # noqa: PLR2004
    scene.grey *= 1 - scene.between(0.4, 0.95) * mask.astype(np.float32) / 255


# Marks of the same pen


def stroke_px(scene: Scene) -> float:
    """Estimate the width of the character's strokes in px."""
    inked = (scene.ink > 0.5).astype(np.uint8)  # noqa: PLR2004
    depth = cv2.distanceTransform(inked, cv2.DIST_L2, 3)
    return max(1.0, 2 * float(np.percentile(depth[inked > 0], 85))) if inked.any() else 2.0


def polyline(scene: Scene, points: np.ndarray, width_px: float) -> np.ndarray:
    """Draw a curve through (n, 2) points in px, with the wobble of a hand: (H, W) float32 in [0, 1]."""
    if len(points) > 2:  # noqa: PLR2004
        at = np.linspace(0, len(points) - 1, 8 * len(points))
        points = np.column_stack([np.interp(at, np.arange(len(points)), points[:, i]) for i in (0, 1)])
        kernel = np.hanning(9)[1:-1]
        padded = np.pad(points, ((3, 3), (0, 0)), mode="edge")
        points = np.column_stack([np.convolve(padded[:, i], kernel / kernel.sum(), "valid") for i in (0, 1)])
    mask = np.zeros(scene.shape, np.uint8)
    fixed = np.round(points * 2**SHIFT).astype(np.int32)[:, None]
    cv2.polylines(mask, [fixed], False, 255, max(1, round(width_px)), cv2.LINE_AA, SHIFT)
    return mask.astype(np.float32) / 255


def mark(scene: Scene, points: np.ndarray) -> None:
    """Draw a mark of the pen."""
    wobble = scene.generator.normal(0, 0.008 * scene.side, points.shape)
    width_px = stroke_px(scene) * scene.between(0.6, 1.1)
    np.maximum(scene.marks, polyline(scene, points + wobble, width_px), out=scene.marks)


def underlined(scene: Scene) -> None:
    """Underline the character once or twice."""
    left, _, right, bottom = scene.box
    y = bottom + scene.side * scene.between(0.12, 0.4)
    for _ in range(1 + scene.chance(0.35)):
        x = np.linspace(left - scene.side * scene.between(-0.1, 0.5), right + scene.side * scene.between(-0.1, 0.5), 5)
        mark(scene, np.column_stack([x, y + scene.side * scene.between(-0.08, 0.08) * np.linspace(-1, 1, 5)]))
        y += scene.side * scene.between(0.08, 0.2)


def circled(scene: Scene) -> None:
    """Circle the character."""
    left, top, right, bottom = scene.box
    begin = scene.between(0, 6.3)
    angle = np.linspace(begin, begin + scene.between(5.6, 6.9), 24)
    reach = scene.side * (0.5 + scene.between(0.12, 0.6)) * np.array([scene.between(0.85, 1.3), 1.0])
    reach = np.maximum(reach, np.array([(right - left) / 2, (bottom - top) / 2]) * 1.25)
    middle = np.array([(left + right) / 2, (top + bottom) / 2]) + scene.side * scene.generator.uniform(-0.06, 0.06, 2)
    drift = 1 + scene.between(-0.08, 0.08) * np.linspace(-1, 1, 24)[:, None]
    mark(scene, middle + drift * np.column_stack([np.cos(angle), np.sin(angle)]) * reach)


def bracketed(scene: Scene) -> None:
    """Write a bracket, a dot, a dash or a comma beside the character."""
    left, top, right, bottom = scene.box
    gap, high = scene.side * scene.between(0.15, 0.4), bottom - top
    kind = scene.generator.integers(4)
    x = right + gap if scene.chance(0.7) else left - gap
    if kind == 0:
        bow = scene.side * scene.between(0.08, 0.25) * (1 if x > left else -1)
        mark(
            scene,
            np.column_stack(
                [x + bow * np.array([0, 0.8, 1, 0.8, 0]), np.linspace(top - 0.1 * high, bottom + 0.1 * high, 5)]
            ),
        )
    elif kind == 1:
        mark(scene, np.array([[x, bottom], [x + 1, bottom + 0.5]]))
    elif kind == 2:  # noqa: PLR2004
        mark(scene, np.array([[x, (top + bottom) / 2], [x + scene.side * scene.between(0.2, 0.4), (top + bottom) / 2]]))
    else:
        mark(
            scene,
            np.array([[x, bottom - 0.05 * high], [x + 0.02 * high, bottom], [x - 0.08 * high, bottom + 0.15 * high]]),
        )


def struck(scene: Scene) -> None:
    """Strike the character through with a line."""
    left, top, right, bottom = scene.box
    x = np.linspace(left - scene.side * scene.between(0.05, 0.4), right + scene.side * scene.between(0.05, 0.4), 5)
    y = top + (bottom - top) * scene.between(0.3, 0.7) + scene.side * scene.between(-0.15, 0.15) * np.linspace(-1, 1, 5)
    mark(scene, np.column_stack([x, y]))


def scribbled(scene: Scene) -> None:
    """Scribble beside the character."""
    left, top, right, bottom = scene.box
    size = scene.side * scene.between(0.4, 0.9)
    x = (
        right + scene.side * scene.between(0.2, 0.5)
        if scene.chance(0.5)
        else left - size - scene.side * scene.between(0.2, 0.5)
    )
    count = int(scene.generator.integers(7, 16))
    zigzag = np.column_stack(
        [np.linspace(0, 1, count), np.arange(count) % 2 + scene.generator.uniform(-0.25, 0.25, count)]
    )
    middle = (top + bottom) / 2 - size / 2 + scene.side * scene.between(-0.2, 0.2)
    mark(scene, np.array([x, middle]) + size * zigzag)


def neighbours(frames: Sequence[np.ndarray]) -> Step:
    """Make a step that writes characters which the picture's edge cuts off."""

    def write(scene: Scene) -> None:
        height, width = scene.shape
        for frame in frames:
            glyph = draw_glyph(frame, scene.side * scene.between(0.7, 1.2), scene.generator)
            high, wide = glyph.shape
            hidden = scene.between(0.3, 0.85)
            edge = scene.generator.integers(4)
            x = {0: -hidden * wide, 1: width - (1 - hidden) * wide}.get(
                int(edge), scene.between(0, max(1, width - wide))
            )
            y = {2: -hidden * high, 3: height - (1 - hidden) * high}.get(
                int(edge), scene.between(0, max(1, height - high))
            )
            ink = np.zeros_like(scene.ink)
            paste(ink, glyph, round(y), round(x))
            if not (ink * cv2.dilate(scene.ink, np.ones((5, 5), np.uint8))).any():
                np.maximum(scene.marks, ink, out=scene.marks)

    return write


def rows(frames: Sequence[np.ndarray]) -> Step:
    """Make a step that writes whole characters beside and below the first; all are characters of the picture."""

    def write(scene: Scene) -> None:
        left, _, x, bottom = scene.box
        high, wide = scene.shape
        step = scene.side * scene.between(1.25, 1.9)
        for frame in frames:
            glyph = draw_glyph(frame, scene.side * scene.between(0.8, 1.1), scene.generator)
            x += scene.side * scene.between(0.08, 0.4)
            if x + glyph.shape[1] >= wide - 1:
                x, bottom = left, bottom + step
            y = bottom - glyph.shape[0] + scene.side * scene.between(-0.08, 0.08)
            if x + glyph.shape[1] >= wide - 1 or y < 1 or bottom >= high - 1:
                break
            paste(scene.ink, glyph, round(y), round(x))
            scene.cells.append((x, y, x + glyph.shape[1], y + glyph.shape[0]))
            x += glyph.shape[1]
        lefts, tops, rights, bottoms = zip(*scene.cells, strict=True)
        scene.box = (min(lefts), min(tops), max(rights), max(bottoms))

    return write


def paste(target: np.ndarray, glyph: np.ndarray, top: int, left: int) -> None:
    """Add ink at a place that may lie partly outside."""
    high, wide = target.shape
    y0, x0, y1, x1 = max(0, top), max(0, left), min(high, top + glyph.shape[0]), min(wide, left + glyph.shape[1])
    if y0 < y1 and x0 < x1:
        place = target[y0:y1, x0:x1]
        np.maximum(place, glyph[y0 - top : y1 - top, x0 - left : x1 - left], out=place)


def put_ink(scene: Scene) -> None:
    """Put all ink on the paper."""
    ink = np.maximum(scene.ink, scene.marks)
    if scene.chance(0.6):  # a pen is pressed harder here than there
        cells = max(2, round(2.5 * max(scene.shape) / max(scene.side, 8.0)))
        pressure = scene.generator.uniform(scene.between(0.25, 1), 1, (cells, cells)).astype(np.float32)
        ink = ink * np.clip(cv2.resize(pressure, scene.shape[::-1], interpolation=cv2.INTER_CUBIC), 0, 1)
    if scene.chance(0.3):  # pencil and dry pens
        grain = scene.generator.uniform(scene.between(0.4, 0.9), 1, scene.shape).astype(np.float32)
        ink = ink * cv2.GaussianBlur(grain, (0, 0), 0.7)
    scene.grey *= 1 - (1 - scene.pen) * ink


# What lies around the paper


def on_desk(scene: Scene) -> None:
    """Let the paper end within the picture, on a darker, lighter or patterned desk."""
    height, width = scene.shape
    left, top, right, bottom = scene.box
    margin = scene.side * scene.generator.uniform(0.25, 1.6, 4)
    quad = np.array(
        [
            [left - margin[0], top - margin[1]],
            [right + margin[2], top - margin[1]],
            [right + margin[2], bottom + margin[3]],
            [left - margin[0], bottom + margin[3]],
        ]
    )
    if scene.chance(0.4):  # only a corner or an edge of it
        far = scene.generator.choice(4, scene.generator.integers(1, 4), replace=False)
        for edge in far:
            quad[{0: [0, 3], 1: [0, 1], 2: [1, 2], 3: [2, 3]}[int(edge)], int(edge) % 2] = -999 if edge < 2 else 999  # noqa: PLR2004
    quad += scene.generator.normal(0, 0.05 * scene.side, quad.shape)
    turn = cv2.getRotationMatrix2D(((left + right) / 2, (top + bottom) / 2), scene.between(-12, 12), 1.0)
    quad = quad @ turn[:, :2].T + turn[:, 2]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, np.round(quad * 2**SHIFT).astype(np.int32), 255, cv2.LINE_AA, SHIFT)
    sheet = mask.astype(np.float32) / 255
    sheet = np.maximum(sheet, cv2.dilate(np.maximum(scene.ink, scene.marks), np.ones((5, 5), np.uint8)))
    desk = np.full(
        (height, width), scene.between(0.03, 0.7) if scene.chance(0.8) else scene.between(0.5, 1), np.float32
    )
    pattern = scene.generator.normal(0, scene.between(0, 0.12), (height, max(2, width // 30))).astype(np.float32)
    pattern = cv2.GaussianBlur(cv2.resize(pattern, (width, height)), (0, 0), scene.between(0.5, 2.5))
    desk += pattern if scene.chance(0.5) else cv2.resize(np.ascontiguousarray(pattern.T), (width, height))
    shade = cv2.GaussianBlur(sheet, (0, 0), max(0.5, 0.05 * scene.side))
    desk *= 1 - scene.between(0, 0.5) * shade
    scene.grey = sheet * scene.grey + (1 - sheet) * desk


def scanner_edge(scene: Scene) -> None:
    """Blacken a band at one to four edges, as a scanner with an open lid does."""
    height, width = scene.shape
    level = scene.between(0, 0.2) if scene.chance(0.85) else scene.between(0.2, 0.5)
    left, top, right, bottom = scene.box
    rooms = (top, height - bottom, left, width - right)
    edges = range(4) if scene.chance(0.25) else scene.generator.choice(4, scene.generator.integers(1, 4), replace=False)
    lean = scene.between(-0.02, 0.02)
    for edge in edges:
        size = min(rooms[int(edge)] * 0.8, scene.between(0.01, 0.14) * min(height, width))
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        distance = (y, height - 1 - y, x, width - 1 - x)[int(edge)] + lean * ((x if edge < 2 else y) - width / 2)  # noqa: PLR2004
        band = np.clip(size - distance, 0, 1) * (1 - np.maximum(scene.ink, scene.marks))
        scene.grey = scene.grey * (1 - band) + level * band


def status_bar(scene: Scene) -> None:
    """Add bars of another grey with small writing at the top or bottom, as on a screenshot."""
    height, width = scene.shape
    for at_top in (True, False):
        room = scene.box[1] if at_top else height - scene.box[3]
        size = int(min(room * 0.8, scene.between(0.05, 0.15) * height))
        if size < 4 or scene.chance(0.3):  # noqa: PLR2004
            continue
        rows = slice(0, size) if at_top else slice(height - size, height)
        if scene.chance(0.6):
            scene.grey[rows] = scene.between(0, 1)
        base = float(scene.grey[rows].mean())
        mask = np.zeros(scene.shape, np.uint8)
        text = "12:{:02d}   {}%".format(*scene.generator.integers(10, 60, 2))
        place = (round(scene.between(0, 0.5) * width), round(size * 0.8) if at_top else height - round(size * 0.25))
        cv2.putText(mask, text, place, cv2.FONT_HERSHEY_SIMPLEX, size / 32, 255, 1, cv2.LINE_AA)
        ink = mask.astype(np.float32) / 255
        scene.grey = scene.grey * (1 - ink) + ink * (1.0 if base < 0.5 else 0.1)  # noqa: PLR2004


# Light


def gradient(scene: Scene) -> None:
    """Light the scene from one side."""
    height, width = scene.shape
    angle, depth = scene.between(0, 6.3), scene.between(0, 0.45)
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
    scene.grey *= (1 - depth * (0.5 + np.cos(angle) * x + np.sin(angle) * y)).astype(np.float32)


def shadow(scene: Scene) -> None:
    """Cast a shadow with a hard or a soft edge over part of the scene."""
    height, width = scene.shape
    if scene.chance(0.7):
        angle = scene.between(0, 6.3)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        middle = scene.generator.uniform(0.15, 0.85, 2) * (width, height)
        distance = (x - middle[0]) * np.cos(angle) + (y - middle[1]) * np.sin(angle)
        dark = np.clip(0.5 + distance / max(1.0, scene.between(0, 0.15) * width), 0, 1)
    else:
        mask = np.zeros(scene.shape, np.float32)
        points = (scene.generator.uniform(-0.2, 1.2, (5, 2)) * (width, height)).astype(np.int32)
        cv2.fillConvexPoly(mask, cv2.convexHull(points[:, None]), 1.0)
        dark = cv2.GaussianBlur(mask, (0, 0), max(0.6, scene.between(0, 0.05) * width))
    scene.grey *= (1 - scene.between(0.2, 0.65) * dark).astype(np.float32)


def reflection(scene: Scene) -> None:
    """Add the reflection of a lamp."""
    height, width = scene.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    middle, reach = (
        scene.generator.uniform(0, 1, 2) * (width, height),
        scene.generator.uniform(0.05, 0.4, 2) * (width, height),
    )
    blob = np.exp(-(((x - middle[0]) / reach[0]) ** 2 + ((y - middle[1]) / reach[1]) ** 2))
    scene.grey += (scene.between(0.1, 0.5) * blob).astype(np.float32)


# Camera, scanner and screen


def blurred(scene: Scene) -> None:
    """Put the picture out of focus, or shake the camera, by up to a sixth of the character."""
    reach = scene.side * scene.between(0.01, 0.16)
    if scene.chance(0.6):
        scene.grey = cv2.GaussianBlur(scene.grey, (0, 0), max(0.3, reach / 2))
    else:
        size = max(1, round(2 * reach)) | 1
        kernel = np.zeros((size, size), np.float32)
        angle = scene.between(0, 3.2)
        half = np.array([np.cos(angle), np.sin(angle)]) * size / 2
        ends = [tuple(int(v) for v in np.round(size / 2 + sign * half)) for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1)
        scene.grey = cv2.filter2D(scene.grey, -1, kernel / max(1.0, float(kernel.sum())))


def compressed(scene: Scene) -> None:
    """Compress the picture as a messenger does."""
    pixels = np.round(np.clip(scene.grey, 0, 1) * 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(scene.generator.integers(25, 95))])
    scene.grey = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255


def dithered(scene: Scene) -> None:
    """Turn the picture into black and white, with dots for greys."""
    kind = scene.generator.integers(3)
    grey = np.clip(scene.grey, 0, 1)
    if kind == 0:
        bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16 + 1 / 32
        tiled = np.tile(bayer, (grey.shape[0] // 4 + 1, grey.shape[1] // 4 + 1))[: grey.shape[0], : grey.shape[1]]
        scene.grey = (grey > tiled).astype(np.float32)
    elif kind == 1:
        scene.grey = (grey > scene.generator.random(scene.shape)).astype(np.float32)
    else:
        scene.grey = np.asarray(Image.fromarray(np.round(grey * 255).astype(np.uint8)).convert("1"), np.float32)


def one_bit(scene: Scene) -> None:
    """Turn the picture into black and white at a threshold between pen and paper. Ink that becomes white is lost."""
    paper = float(np.median(scene.grey))
    threshold = paper * (scene.pen + (1 - scene.pen) * scene.between(0.4, 0.75))
    is_white = scene.grey > threshold
    scene.grey = is_white.astype(np.float32)
    scene.ink[is_white] = 0
    scene.marks[is_white] = 0


def specks(scene: Scene) -> None:
    """Sprinkle dark or light specks."""
    share = float(np.exp(scene.between(*np.log((0.0003, 0.01)))))
    hit = (scene.generator.random(scene.shape) < share).astype(np.float32)
    if scene.chance(0.5):
        hit = cv2.dilate(hit, np.ones((2, 2), np.uint8))
    scene.grey = np.where(hit > 0, 0.0 if scene.chance(0.7) else 1.0, scene.grey).astype(np.float32)


def noisy(scene: Scene) -> None:
    """Add the noise of a sensor, sometimes in the dark."""
    deviation = scene.between(0, 0.05) if scene.chance(0.9) else scene.between(0.05, 0.15)
    scene.grey += scene.generator.normal(0, deviation, scene.shape).astype(np.float32)


def inverted(scene: Scene) -> None:
    """Swap light and dark: chalk, dark mode, negatives."""
    scene.grey = 1 - np.clip(scene.grey, 0, 1)


def cropped(scene: Scene) -> None:
    """Crop the picture to the character, about as tight as a person or a detector does."""
    height, width = scene.shape
    left, top, right, bottom = scene.box
    margin = scene.side * scene.generator.uniform(-0.02, 0.12, 4)
    rows = slice(max(0, round(top - margin[0])), min(height, round(bottom + margin[1]) + 1))
    columns = slice(max(0, round(left - margin[2])), min(width, round(right + margin[3]) + 1))
    scene.grey, scene.ink, scene.marks = (
        np.ascontiguousarray(each[rows, columns]) for each in (scene.grey, scene.ink, scene.marks)
    )
    x, y = columns.start, rows.start
    scene.box = (left - x, top - y, right - x, bottom - y)


Steps = Sequence[tuple[float, Step]]  # each with the share of the scenes that it happens to
PAPERS: Mapping[str, Step] = {"ruled": ruled, "squared": squared, "dotted": dotted, "boxed": boxed, "printed": printed}
MARKS: Mapping[str, Step] = {
    "underlined": underlined,
    "circled": circled,
    "bracketed": bracketed,
    "scribbled": scribbled,
}
SURROUNDINGS: Mapping[str, Step] = {"on_desk": on_desk, "scanner_edge": scanner_edge, "status_bar": status_bar}
LIGHTS: Mapping[str, Step] = {"gradient": gradient, "shadow": shadow, "reflection": reflection}


def make_scene(
    frames: Sequence[np.ndarray],
    generator: np.random.Generator,
    *,
    alone: bool = False,
    struck_share: float = STRUCK_SHARE,
    without: Container[str] = (),
) -> Scene:
    """Make a random scene with the first of these (28, 28) uint8 frames as its character.

    Where light, blur or dithering left nothing to see of it, another scene is made: nothing can be learned from that.

    Args:
        frames: at least four.
        generator: of everything random.
        alone: whether it is a picture of one character, for a recogniser to read.
        struck_share: of the scenes in which it is struck through.
        without: names of papers, marks and surroundings that are left out.
    """
    while True:
        scene = any_scene(frames, generator, alone, struck_share, without)
        if is_visible(scene):
            return scene


def is_visible(scene: Scene) -> bool:
    """Tell whether ink and the paper beside it differ in grey, or there is no ink."""
    ink = scene.ink > 0.5  # noqa: PLR2004
    beside = (cv2.dilate(scene.ink, np.ones((9, 9), np.uint8)) > 0) & (scene.ink + scene.marks <= 0)
    if not ink.any():
        return scene.is_empty
    if not beside.any():
        return True
    return bool(abs(scene.grey[ink].mean() - scene.grey[beside].mean()) >= FAINTEST)


def any_scene(
    frames: Sequence[np.ndarray],
    generator: np.random.Generator,
    alone: bool,
    struck_share: float,
    without: Container[str],
) -> Scene:
    """Make a random scene, as `make_scene` says."""

    def one_of(share: float, steps: Mapping[str, Step]) -> list[Step]:
        left = [step for name, step in steps.items() if name not in without]
        return [left[generator.integers(len(left))]] if generator.random() < share else []

    scene = start(frames, generator, (0.09, 0.95))
    steps: list[Step] = [texture] if generator.random() < 0.7 else []  # noqa: PLR2004
    if not alone and generator.random() < 0.32:  # noqa: PLR2004
        steps.append(rows(frames[1 : 2 + generator.integers(len(frames) - 3)]))
    steps += one_of(0.55, PAPERS) + one_of(0.12, PAPERS)
    steps += one_of(0.22, MARKS)
    if generator.random() < struck_share:
        steps.append(struck)
    if generator.random() < 0.2:  # noqa: PLR2004
        steps.append(neighbours(frames[-2:]))
    if not alone and generator.random() < EMPTY_SHARE:
        scene.ink[:] = 0
        scene.is_empty = True
    steps.append(put_ink)
    steps += one_of(0.35, SURROUNDINGS)
    steps += one_of(0.55, LIGHTS) + one_of(0.25, LIGHTS)
    for share, step in (
        (0.35, blurred),
        (0.4, noisy),
        (0.08, dithered),
        (0.1, one_bit),
        (0.05, specks),
        (0.2, inverted),
        (0.5, compressed),
    ):
        if generator.random() < share:
            steps.append(step)
    if generator.random() < 0.12:  # noqa: PLR2004
        steps.append(cropped)
    for step in steps:
        step(scene)
    scene.grey = np.clip(scene.grey, 0, 1)
    return scene
