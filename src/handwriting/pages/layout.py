"""Finds all groups of ink on a page that may be one character, each with its frame for the network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from handwriting.errors import InvalidImage
from handwriting.pages.pieces import Box, Piece, find_lines, find_pieces
from handwriting.preprocess.frame import Form, to_frame

WIDE = 0.85  # of the size: wider pieces may be several touching characters
CUTS = 1.5  # at most, for each of the writing's sizes in a piece's width
EDGE = 0.2  # of the size: smallest width of a part after a cut
THIN = 0.6  # of a piece's mean ink by column: columns with more ink are not cut
JOINT = 0.12  # of the size: largest gap inside a broken character
JOINT_WIDTH = 1.1  # of the size: largest width of a broken character
MAX_ATOMS = 3  # in a character
MAX_CHARACTERS = 2000  # on a page; limits the time that a page of dirt takes


@dataclass(frozen=True)
class Atom:
    """Ink that is not divided further: a piece, or a part of it between two cuts.

    Attributes:
        piece: that it is a part of.
        left: first column in px.
        right: column after the last.
    """

    piece: Piece
    left: int
    right: int


@dataclass(frozen=True)
class Group:
    """Neighbouring atoms that may be one character.

    Attributes:
        first: index of its first atom in the line.
        end: index after its last atom.
        box: around its ink.
        dotted: whether it has a mark above it.
        pieces: number of pieces that it has ink of.
        cuts: number of its sides, left and right, at which a piece is cut.
    """

    first: int
    end: int
    box: Box
    dotted: bool
    pieces: int
    cuts: int


@dataclass(frozen=True)
class Layout:
    """A page's lines.

    Attributes:
        lines: the groups of each line, in the order of the frames.
        size: of the writing, about a capital's height, in px of the reduced picture.
        reduction: factor by which the sides of the picture were reduced.
    """

    lines: Sequence[Sequence[Group]]
    size: float
    reduction: float


def find_layout(ink: np.ndarray, form: Form, reduction: float) -> tuple[np.ndarray, Layout]:
    """Find lines and characters on a page.

    Args:
        ink: (H, W) float32 in [0, 1]; 1 is ink.
        form: of the frames.
        reduction: factor by which the sides of the picture were reduced.

    Returns:
        (groups, 28, 28) float32 frames in [0, 1]; the layout.

    Raises:
        InvalidImage: no characters, or too many.
    """
    numbers, pieces, size = find_pieces(ink)
    if len(pieces) > MAX_CHARACTERS:
        raise InvalidImage(f"the page has {len(pieces):,} pieces of ink; at most {MAX_CHARACTERS:,}")
    frames, lines = [], []
    for line in find_lines(pieces, size):
        atoms = [atom for piece in line for atom in cut(piece, ink, numbers, size)]
        groups = []
        for first, end in spans(atoms, size):
            glyph, box = extract_ink(atoms[first:end], ink, numbers)
            try:
                frames.append(to_frame(glyph, form))
            except InvalidImage:  # a speck between two cuts
                continue
            groups.append(group_of(atoms, first, end, box))
        if groups:
            lines.append(groups)
    if not frames:
        raise InvalidImage("the page is blank: it holds no character")
    return np.stack(frames), Layout(lines, size, reduction)


def group_of(atoms: Sequence[Atom], first: int, end: int, box: Box) -> Group:
    """Describe some of a line's atoms as one character."""
    run = atoms[first:end]
    cuts = (run[0].left > run[0].piece.box.left) + (run[-1].right < run[-1].piece.box.right)
    pieces = len({id(atom.piece) for atom in run})
    return Group(first, end, box, any(atom.piece.dotted for atom in run), pieces, cuts)


def cut(piece: Piece, ink: np.ndarray, numbers: np.ndarray, size: float) -> list[Atom]:
    """Divide a wide piece at the columns with the least ink; the network's scores decide whether the cut is right."""
    left, right = piece.box.left, piece.box.right
    edges = [left, right]
    if right - left > WIDE * size:
        glyph, _ = extract_ink([Atom(piece, left, right)], ink, numbers)
        profile = cv2.blur(glyph.sum(axis=0)[None], (max(1, round(size / 20)) | 1, 1))[0]
        margin = max(1, round(EDGE * size))
        for _ in range(max(2, round(CUTS * (right - left) / size))):
            open_columns = np.full(len(profile), np.inf)
            for start, end in pairwise(sorted(edges)):
                middle = slice(start - left + margin, max(start - left + margin, end - left - margin))
                open_columns[middle] = profile[middle]
            thinnest = int(np.argmin(open_columns))
            if open_columns[thinnest] > THIN * profile.mean():
                break
            edges.append(left + thinnest)
    edges.sort()
    return [Atom(piece, start, end) for start, end in pairwise(edges)]


def spans(atoms: Sequence[Atom], size: float) -> Iterator[tuple[int, int]]:
    """Yield first and end of each run of atoms that may be one character: parts of one piece, or close and narrow."""
    for first in range(len(atoms)):
        yield first, first + 1
        for end in range(first + 2, min(first + MAX_ATOMS, len(atoms)) + 1):
            run = atoms[first:end]
            one_piece = run[0].piece is run[-1].piece
            gaps = [after.left - before.right for before, after in pairwise(run)]
            close = max(gaps) <= JOINT * size and run[-1].right - run[0].left <= JOINT_WIDTH * size
            if not (one_piece or close):
                break
            yield first, end


def extract_ink(atoms: Sequence[Atom], ink: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, Box]:
    """Return the ink of some atoms, without that of others, and the box around it."""
    box = atoms[0].piece.box
    for atom in atoms[1:]:
        box = box.joined(atom.piece.box)
    left, right = atoms[0].left, atoms[-1].right
    rows, columns = slice(box.top, box.bottom), slice(left, right)
    own = [number for atom in atoms for number in atom.piece.numbers]
    # The soft edge of a stroke is not part of a component, so the mask is widened
    mask = cv2.dilate(np.isin(numbers[rows, columns], own).astype(np.uint8), np.ones((3, 3), np.uint8))
    glyph = np.where(mask, ink[rows, columns], 0).astype(np.float32)
    _, top, _, height = cv2.boundingRect(mask)
    return glyph, Box(left, box.top + top, right, box.top + top + height)
