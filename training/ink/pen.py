"""What a pen leaves on paper: the character, others beside it, and marks."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from training.ink.glyphs import draw_glyph
from training.ink.scene import SHIFT, Scene, Step, paste


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


def hollow(scene: Scene) -> None:
    """Draw the outline of thick strokes instead of the strokes."""
    bold, line = (max(1, round(scene.side * scene.between(*limits))) for limits in ((0.02, 0.06), (0.015, 0.045)))
    thick, outer = (cv2.dilate(scene.ink, disc(reach)) for reach in (bold, bold + line))
    scene.ink = outer - thick
    more = bold + line

    def grown(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        left, top, right, bottom = box
        return left - more, top - more, right + more, bottom + more

    scene.box, scene.cells = grown(scene.box), [grown(cell) for cell in scene.cells]


def disc(reach_px: int) -> np.ndarray:
    """Return a round element for morphology: uint8 with a side of twice its reach and one."""
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach_px + 1,) * 2))


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


def corrected(frame: np.ndarray) -> Step:
    """Make a step that writes another character beside the first and crosses it out."""

    def write(scene: Scene) -> None:
        left, top, right, bottom = scene.box
        glyph = draw_glyph(frame, scene.side * scene.between(0.7, 1.1), scene.generator)
        high, wide = glyph.shape
        gap = scene.side * scene.between(0.15, 0.6)
        x = right + gap if scene.chance(0.4) else left - gap - wide
        y = (top + bottom - high) / 2 + scene.side * scene.between(-0.15, 0.15)
        ink = np.zeros_like(scene.ink)
        paste(ink, glyph, round(y), round(x))
        if (ink * scene.ink).any():
            return
        np.maximum(scene.marks, ink, out=scene.marks)
        if scene.chance(0.4):  # with one line to and fro
            count = int(scene.generator.integers(4, 12))
            along, across = np.linspace(-0.1, 1.1, count), np.arange(count) % 2
            swap = scene.chance(0.5)
            mark(scene, np.array([x, y]) + np.column_stack([across, along] if swap else [along, across]) * (wide, high))
            return
        for _ in range(scene.generator.integers(2, 6)):
            mark(scene, np.array([x, y]) + scene.generator.uniform(-0.15, 1.15, (2, 2)) * (wide, high))

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


MARKS: Mapping[str, Step] = {
    "underlined": underlined,
    "circled": circled,
    "bracketed": bracketed,
    "scribbled": scribbled,
}
