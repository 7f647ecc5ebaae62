"""A picture in the making, with the truth: which of its ink is the character's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from training.ink.glyphs import draw_glyph

SHIFT = 4  # bits of a pixel's fraction in coordinates of cv2


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


Step = Callable[[Scene], None]


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


def paste(target: np.ndarray, glyph: np.ndarray, top: int, left: int) -> None:
    """Add ink at a place that may lie partly outside."""
    high, wide = target.shape
    y0, x0, y1, x1 = max(0, top), max(0, left), min(high, top + glyph.shape[0]), min(wide, left + glyph.shape[1])
    if y0 < y1 and x0 < x1:
        place = target[y0:y1, x0:x1]
        np.maximum(place, glyph[y0 - top : y1 - top, x0 - left : x1 - left], out=place)
