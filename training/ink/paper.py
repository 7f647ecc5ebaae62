"""What is on paper before and besides writing: rules, boxes, print, stamps and stains."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.ink.scene import SHIFT, Scene, Step, paste


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
    letters = list("abcdefghiklmnoprstuvwxyzABDEGKLMNPRST0123456789.:-")
    mask = np.zeros(scene.shape, np.float32)
    for _ in range(scene.generator.integers(1, 7)):
        text = "".join(scene.generator.choice(letters, scene.generator.integers(3, 14)))
        word = typeset(text, scene.side * float(np.exp(scene.between(*np.log((0.08, 0.4))))), scene)
        top, left = place_beside(scene, word.shape)
        paste(mask, word, top, left)
    mask[scene.ink > 0.1] = 0  # noqa: PLR2004
    scene.grey *= 1 - scene.between(0.4, 0.95) * mask


def typeset(text: str, height_px: float, scene: Scene) -> np.ndarray:
    """Set a line of type in one of some faces, plain or bold: (H, W) float32 in [0, 1]."""
    if scene.chance(0.5):
        font = ImageFont.load_default(max(4.0, 1.3 * height_px))
        bold = round(height_px / 14) if scene.chance(0.3) else 0
        left, top, right, bottom = (round(edge) for edge in font.getbbox(text, stroke_width=bold))
        image = Image.new("L", (right - left + 2, bottom - top + 2))
        ImageDraw.Draw(image).text((1 - left, 1 - top), text, fill=255, font=font, stroke_width=bold)
        return np.asarray(image, np.float32) / 255
    face = int(scene.generator.choice([cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX]))
    size = max(0.2, height_px / 22)
    wide = 1 if size < 0.7 else 2  # noqa: PLR2004
    (width, height), below = cv2.getTextSize(text, face, size, wide)
    mask = np.zeros((height + below + 2, width + 2), np.uint8)
    cv2.putText(mask, text, (1, height + 1), face, size, 255, wide, cv2.LINE_AA)
    return mask.astype(np.float32) / 255


def place_beside(scene: Scene, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return top and left (px) for a word of this height and width: on one side of the characters, near or far."""
    left, top, right, bottom = scene.box
    gap = scene.side * scene.between(0.05, 0.7)
    x, y = scene.between(-0.2, 0.8) * scene.shape[1], scene.between(-0.1, 0.9) * scene.shape[0]
    places = ((top - gap - shape[0], x), (bottom + gap, x), (y, left - gap - shape[1]), (y, right + gap))
    where = places[scene.generator.choice(len(places), p=(0.35, 0.35, 0.15, 0.15))]
    return round(where[0]), round(where[1])


def tabled(scene: Scene) -> None:
    """Print a box or a table around the character, and words in other cells and around it."""
    boxed(scene)
    printed(scene)


def pale(scene: Scene, mask: np.ndarray) -> None:
    """Darken the paper where (H, W) float32 says so, at most a third as much as the pen does."""
    scene.grey *= 1 - scene.between(0.1, 0.35) * (1 - scene.pen) * mask


def watermarked(scene: Scene) -> None:
    """Print large, pale letters below the character, aslant or not."""
    letters = list("ABCDEFGHIKLMNOPRSTUVWXYZ ")
    mask = np.zeros(scene.shape, np.float32)
    height, width = scene.shape
    size, first = scene.side * scene.between(0.4, 1.5), scene.between(-0.2, 0.4) * height
    for line in range(scene.generator.integers(1, 5)):
        text = "".join(scene.generator.choice(letters, scene.generator.integers(3, 10)))
        paste(
            mask, typeset(text, size, scene), round(first + 1.6 * line * size), round(scene.between(-0.6, 0.4) * width)
        )
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), scene.between(-50, 50) if scene.chance(0.7) else 0, 1.0)
    pale(scene, cv2.warpAffine(mask, turn, (width, height)))


def near_character(scene: Scene) -> tuple[int, int]:
    """Draw x and y (px) of a place at the character, or at most its size away from its middle."""
    left, top, right, bottom = scene.box
    x, y = (left + right) / 2, (top + bottom) / 2
    return round(x + scene.side * scene.between(-1, 1)), round(y + scene.side * scene.between(-1, 1))


def anywhere(scene: Scene) -> tuple[int, int]:
    """Draw x and y (px) of a place on the picture or just beside it."""
    height, width = scene.shape
    return round(scene.between(-0.1, 1.1) * width), round(scene.between(-0.1, 1.1) * height)


def stained(scene: Scene) -> None:
    """Stain the paper with rings of cups, or with blots."""
    height, width = scene.shape
    mask = np.zeros(scene.shape, np.float32)
    for _ in range(scene.generator.integers(1, 3)):
        one = np.zeros(scene.shape, np.uint8)
        middle = near_character(scene) if scene.chance(0.5) else anywhere(scene)
        radii = (max(2, round(scene.side * scene.between(0.15, 0.9))),) * 2
        if scene.chance(0.4):  # a blot, or a drop that has run
            radii = (radii[0], max(2, round(radii[0] * scene.between(0.3, 1))))
        angle = scene.between(0, 360)
        cv2.ellipse(one, middle, radii, angle, 0, scene.between(120, 500), 255, -1, cv2.LINE_AA)
        inner = one.astype(np.float32) / 255 * scene.between(0, 0.6)
        rim = np.zeros(scene.shape, np.uint8)
        wide = max(1, round(scene.side * scene.between(0.01, 0.14)))
        cv2.ellipse(rim, middle, radii, angle, 0, scene.between(200, 500), 255, wide, cv2.LINE_AA)
        np.maximum(mask, np.maximum(inner, rim.astype(np.float32) / 255), out=mask)
    uneven = scene.generator.uniform(0.3, 1, (6, 6)).astype(np.float32)
    mask *= np.clip(cv2.resize(uneven, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    pale(scene, cv2.GaussianBlur(mask, (0, 0), max(0.4, scene.side * scene.between(0.003, 0.03))))


def stamped(scene: Scene) -> None:
    """Stamp the paper beside the character: words in a ring or a frame, aslant."""
    height, width = scene.shape
    left, top, right, bottom = scene.box
    distance, angle = scene.side * scene.between(0.7, 1.3), scene.between(0, 2 * np.pi)
    x, y = round((left + right) / 2 + distance * np.cos(angle)), round((top + bottom) / 2 + distance * np.sin(angle))
    word = typeset("".join(scene.generator.choice(list("ABDEIKLNOPRST0123456789"), 4)), scene.side * 0.25, scene)
    reach = max(word.shape) * scene.between(0.55, 0.8)
    rim = max(1, round(scene.side * scene.between(0.01, 0.06)))
    mask = np.zeros(scene.shape, np.uint8)
    for part in (1, scene.between(0.7, 0.95))[: 1 + scene.chance(0.5)]:
        if scene.chance(0.7):
            cv2.circle(mask, (x, y), round(reach * part), 255, rim, cv2.LINE_AA)
        else:
            across, down = round(reach * part), round(reach * part * scene.between(0.4, 1))
            cv2.rectangle(mask, (x - across, y - down), (x + across, y + down), 255, rim, cv2.LINE_AA)
    stamp = mask.astype(np.float32) / 255
    paste(stamp, word, round(y - word.shape[0] / 2), round(x - word.shape[1] / 2))
    turn = cv2.getRotationMatrix2D((x, y), scene.between(-30, 30), 1.0)
    stamp = cv2.warpAffine(stamp, turn, (width, height))
    uneven = scene.generator.uniform(scene.between(0.3, 1), 1, (20, 20)).astype(np.float32)
    scene.grey *= 1 - scene.between(0.15, 0.7) * stamp * cv2.resize(uneven, (width, height))


PAPERS: Mapping[str, Step] = {
    "ruled": ruled,
    "squared": squared,
    "dotted": dotted,
    "boxed": boxed,
    "printed": printed,
    "tabled": tabled,
    "watermarked": watermarked,
    "stained": stained,
    "stamped": stamped,
}
