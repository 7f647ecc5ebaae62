"""Finds connected pieces of ink, joins dots and broken strokes to their character, and sorts pieces into lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from handwriting.errors import InvalidImage

INKED = 0.3  # fainter pixels are the soft edge of a stroke
WIDE = 1.0  # of the writing's size: wider pieces may be several characters, which remains of printed lines join
JOINED = 0.5  # fainter pixels of a wide piece are such remains
BODY = 0.4  # of the writing's size: pieces of at least this height are bodies, others are marks
FLAT = 0.2  # of the size: marks of at least this height without a body are bodies, such as a flat m
SPECK = 0.003  # of the size squared: smaller pieces are dirt
BESIDE = 0.15  # of the size: largest horizontal distance between a mark and its body
ABOVE = 0.6  # of the size: largest distance of a dot above its body
NEAR = 0.2  # of the size: largest distance of a broken stroke below its body
MAX_PAIRS = 1_000_000  # of a body and a mark, all of which are compared; a dense page has 100,000
SAME_COLUMN = 0.6  # of the narrower body's width: two bodies of a line that overlap by more are one
REACH = 0.55  # of the size: largest vertical distance between the middle of a piece and of its line
RECENT = 4  # pieces that tell where a line is; more would not follow its slope


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
        """Distance of the box's middle from the top of the page in px."""
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
        box: around its ink.
        dotted: whether it has a mark above it.
    """

    numbers: tuple[int, ...]
    box: Box
    dotted: bool = False

    def joined(self, other: "Piece", dotted: bool = False) -> "Piece":
        """Return both as one piece."""
        return Piece(self.numbers + other.numbers, self.box.joined(other.box), dotted or self.dotted or other.dotted)


def find_pieces(ink: np.ndarray) -> tuple[np.ndarray, list[Piece], float]:
    """Find the pieces of a page: bodies with their marks.

    Args:
        ink: (H, W) float32 in [0, 1]; 1 is ink.

    Returns:
        (H, W) int32 map of connected components, 0 is paper; the pieces; the size of the writing in px, which is about
        the height of a capital, 0 without pieces.

    Raises:
        InvalidImage: too many marks.
    """
    inked = ink > INKED
    count, numbers, statistics, _ = cv2.connectedComponentsWithStats(inked.astype(np.uint8), connectivity=8)
    if count == 1:
        return numbers, [], 0.0
    size = weighted_median(statistics[1:, cv2.CC_STAT_HEIGHT], statistics[1:, cv2.CC_STAT_AREA])
    is_wide = statistics[:, cv2.CC_STAT_WIDTH] > WIDE * size
    is_strong = ink > JOINED
    has_strong = np.zeros(count, bool)
    has_strong[numbers[is_strong]] = True  # writing that is faint as a whole stays
    inked &= is_strong | ~(is_wide & has_strong)[numbers]
    count, numbers, statistics, _ = cv2.connectedComponentsWithStats(inked.astype(np.uint8), connectivity=8)
    boxes = [Box(left, top, left + width, top + height) for left, top, width, height, _ in statistics.tolist()]
    areas = statistics[:, cv2.CC_STAT_AREA]
    pieces = [Piece((i,), boxes[i]) for i in range(1, count) if areas[i] >= SPECK * size**2]
    bodies = [piece for piece in pieces if piece.box.height >= BODY * size]
    marks = [piece for piece in pieces if piece.box.height < BODY * size]
    if len(bodies) * len(marks) > MAX_PAIRS:
        raise InvalidImage(
            f"the page has {len(marks):,} specks among {len(bodies):,} pieces of ink; wanted a cleaner one"
        )
    return numbers, join_marks(bodies, marks, size), size


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the value below which half of the weight lies."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def join_marks(bodies: Sequence[Piece], marks: Sequence[Piece], size: float) -> list[Piece]:
    """Join each mark to the nearest body; drop small marks that are far from all bodies."""
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
    """Return the distance of a mark from a body in px, infinite if it is too far away to belong to it."""
    aside = max(0, body.left - mark.right, mark.left - body.right)
    above, below = max(0, body.top - mark.bottom), max(0, mark.top - body.bottom)
    if aside > BESIDE * size or above > ABOVE * size or below > NEAR * size:
        return float("inf")
    return aside + above + below


def join_columns(line: Sequence[Piece]) -> list[Piece]:
    """Join bodies of a line that lie above each other; the line is sorted from left to right."""
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


def find_lines(pieces: Sequence[Piece], size: float) -> list[list[Piece]]:
    """Sort pieces into lines, from top to bottom, and each line from left to right.

    Lines are followed from left to right, so they may slope.

    Args:
        pieces: of a page.
        size: of the writing in px.
    """
    lines: list[list[Piece]] = []
    middles: list[float] = []  # of the right end of each line
    for piece in sorted(pieces, key=lambda piece: piece.box.left):
        distances = [abs(piece.box.middle - middle) for middle in middles]
        nearest = min(range(len(lines)), key=distances.__getitem__, default=-1)
        if nearest >= 0 and distances[nearest] <= REACH * size:
            lines[nearest].append(piece)
            middles[nearest] = middle_of(lines[nearest])
        else:
            lines.append([piece])
            middles.append(piece.box.middle)
    lines.sort(key=lambda line: float(np.mean([piece.box.middle for piece in line])))
    return [join_columns(line) for line in lines]


def middle_of(line: Sequence[Piece]) -> float:
    """Return the vertical middle of a line's right end in px."""
    return float(np.mean([piece.box.middle for piece in line[-RECENT:]]))
