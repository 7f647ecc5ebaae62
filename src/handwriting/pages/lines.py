"""Which pieces stand on one line."""

from collections.abc import Sequence

import numpy as np

from handwriting.pages.pieces import Piece, join_columns

REACH = 0.55  # of the size: a piece whose middle is farther from the line's, up or down, is not on it
RECENT = 4  # pieces whose middles tell where the line is; more would not follow its slope


def find_lines(pieces: Sequence[Piece], size: float) -> list[list[Piece]]:
    """Sort pieces into lines, from top to bottom, and each line from left to right.

    Lines are followed from the left, so that they may slope.

    Args:
        pieces: of a page.
        size: of its writing in px.
    """
    lines: list[list[Piece]] = []
    middles: list[float] = []  # of the lines' right ends
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
    """Height in px of the right end of a line."""
    return float(np.mean([piece.box.middle for piece in line[-RECENT:]]))
