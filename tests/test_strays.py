"""Ink beside the character: what is left out, and what must stay."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from handwriting.preprocess.strays import remove_strays

SIDE = 100


def drawn(*lines: tuple[int, ...], width: int = 6) -> np.ndarray:
    """Ink of lines x0, y0, x1, y1 ... on a square of SIDE px."""
    image = Image.new("L", (SIDE, SIDE))
    for line in lines:
        ImageDraw.Draw(image).line(line, fill=255, width=width)
    return np.asarray(image, np.float32) / 255


L_SHAPE = (40, 20, 40, 75, 70, 75)
RULED_LINE = (0, 92, 99, 92)
PIECE_OF_A_NEIGHBOUR = (92, 20, 99, 20)
MARK_BELOW = (52, 92, 56, 92)


@pytest.mark.parametrize("stray", [RULED_LINE, PIECE_OF_A_NEIGHBOUR, MARK_BELOW])
def test_a_stray_is_removed(stray):
    character = drawn(L_SHAPE)
    assert np.array_equal(remove_strays(np.maximum(character, drawn(stray, width=3))), character)


def test_the_faint_edge_of_a_stray_goes_with_it():
    character, line = drawn(L_SHAPE), drawn(RULED_LINE, width=3)
    soft = np.maximum(line, 0.15 * drawn((0, 92, 99, 92), width=7))
    assert np.array_equal(remove_strays(np.maximum(character, soft)), character)


@pytest.mark.parametrize(
    "lines",
    [
        [(50, 45, 50, 90), (50, 20, 50, 26)],
        [(30, 0, 70, 0), (30, 8, 30, 99, 60, 99)],
        [(0, 10, 99, 10), (50, 25, 50, 99)],
        [(20, 50, 80, 50), (20, 62, 80, 62)],
        [(45, 10, 45, 60), (45, 66, 75, 66)],
    ],
    ids=["the dot of an i", "a 5 cropped at all sides", "a T cropped at all sides", "equal bars", "a broken L"],
)
def test_a_character_in_two_pieces_stays_whole(lines):
    character = drawn(*lines)
    assert np.array_equal(remove_strays(character), character)


def test_a_character_that_runs_off_the_picture_stays():
    character = drawn((50, 0, 50, 80, 90, 80))
    assert np.array_equal(remove_strays(character), character)


def test_a_picture_without_ink_has_no_strays():
    paper = np.zeros((30, 40), np.float32)
    assert np.array_equal(remove_strays(paper), paper)
