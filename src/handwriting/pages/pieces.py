"""Connected pieces of ink, with dots and broken strokes joined to what they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from handwriting.errors import InvalidImage

INKED = 0.3  # of full ink: fainter pixels are the soft edge of a stroke
BODY = 0.4  # of the writing's size: pieces at least so high stand for themselves, others are marks
FLAT = 0.2  # of the size: marks at least so high that belong to no body are bodies, such as a flat m
SPECK = 0.003  # of the size squared: pieces of less area are dirt
BESIDE = 0.15  # of the size: a mark at most so far to the side of a body may be its own
ABOVE = 0.6  # of the size: so far above a body its dot may be
NEAR = 0.2  # of the size: so far below or within, a stroke may be broken off
MAX_PAIRS = 1_000_000  # of a body and a mark, each of which is looked at; a dense page has 100,000
SAME_COLUMN = 0.6  # of the narrower of two bodies of a line that lies above the other: they are one


class Box(NamedTuple):
    """Edges in px; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In px."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In px."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Height of the box's middle in px from the top of the page."""
        return (self.top + self.bottom) / 2

    def joined(self, other: "Box") -> "Box":
        """Return the box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


@dataclass(frozen=True)
class Piece:
    """Ink of one character, or of several that touch.

    Attributes:
        numbers: of its connected components in the page's map.
        box: around it.
        dotted: whether it has a mark above it.
    """

    numbers: tuple[int, ...]
    box: Box
    dotted: bool = False

    def joined(self, other: "Piece", dotted: bool = False) -> "Piece":
        """Return both as one piece."""
        return Piece(self.numbers + other.numbers, self.box.joined(other.box), dotted or self.dotted or other.dotted)


def find_pieces(ink: np.ndarray) -> tuple[np.ndarray, list[Piece], float]:
    """Find the bodies on a page, each with its marks.

    Args:
        ink: (H, W) float32 in [0, 1]; 1 is ink.

    Returns:
        (H, W) int32 map of connected components, 0 is paper; the pieces; the writing's size, about a capital's height,
        in px, 0 without pieces.

    Raises:
        InvalidImage: there are too many marks.
    """
    count, numbers, statistics, _ = cv2.connectedComponentsWithStats((ink > INKED).astype(np.uint8), connectivity=8)
    if count == 1:
        return numbers, [], 0.0
    boxes = [Box(left, top, left + width, top + height) for left, top, width, height, _ in statistics.tolist()]
    areas = statistics[:, cv2.CC_STAT_AREA]
    size = weighted_median(statistics[1:, cv2.CC_STAT_HEIGHT], areas[1:])
    pieces = [Piece((i,), boxes[i]) for i in range(1, count) if areas[i] >= SPECK * size**2]
    bodies = [piece for piece in pieces if piece.box.height >= BODY * size]
    marks = [piece for piece in pieces if piece.box.height < BODY * size]
    if len(bodies) * len(marks) > MAX_PAIRS:
        raise InvalidImage(
            f"the page has {len(marks):,} specks among {len(bodies):,} pieces of ink; wanted a cleaner one"
        )
    return numbers, join_marks(bodies, marks, size), size


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the value that half of the weight is below."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def join_marks(bodies: Sequence[Piece], marks: Sequence[Piece], size: float) -> list[Piece]:
    """Join each mark to the body nearest to it; dots and dashes far from all bodies are left out."""
    joined, alone = list(bodies), []
    for mark in marks:
        distances = [distance(mark.box, body.box, size) for body in bodies]
        nearest = int(np.argmin(distances)) if distances else -1
        if distances and np.isfinite(distances[nearest]):
            dotted = mark.box.bottom <= bodies[nearest].box.top + NEAR * size
            joined[nearest] = joined[nearest].joined(mark, dotted)
        elif mark.box.height >= FLAT * size:
            alone.append(mark)
    return joined + alone


def distance(mark: Box, body: Box, size: float) -> float:
    """Return how far a mark is from a body in px, infinite where it cannot belong to it."""
    aside = max(0, body.left - mark.right, mark.left - body.right)
    above, below = max(0, body.top - mark.bottom), max(0, mark.top - body.bottom)
    if aside > BESIDE * size or above > ABOVE * size or below > NEAR * size:
        return float("inf")
    return aside + above + below


def join_columns(line: Sequence[Piece]) -> list[Piece]:
    """Join the bodies of a line, sorted from left to right, of which one lies above the other."""
    joined: list[Piece] = []
    for piece in line:
        before = joined[-1] if joined else None
        if before and min(before.box.right, piece.box.right) - piece.box.left > SAME_COLUMN * min(
            before.box.width, piece.box.width
        ):
            joined[-1] = before.joined(piece)
        else:
            joined.append(piece)
    return joined
