"""A ruled line that touches the character: what is taken away, and what must stay."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from handwriting.preprocess.ruled_lines import remove_ruled_line

SIDE = 200
L_SHAPE = (80, 40, 80, 140, 130, 140)


def drawn(*points: int, width: int = 9, shape: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    """Ink of a line x0, y0, x1, y1 ... with soft edges."""
    image = Image.new("L", (shape[1] * 4, shape[0] * 4))
    ImageDraw.Draw(image).line([4 * point for point in points], fill=255, width=4 * width, joint="curve")
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BOX), np.float32) / 255


def ruled(character: np.ndarray, row: int, rise: int = 0, grey: float = 0.5, width: int = 3) -> np.ndarray:
    """A character on a line that ends so many rows higher than it begins."""
    return np.maximum(character, grey * drawn(-5, row + rise // 2, SIDE + 5, row - rise // 2, width=width))


@pytest.mark.parametrize("rise", [0, 3, -7, 12])
@pytest.mark.parametrize("grey", [0.3, 0.5, 0.75])
def test_a_touching_line_is_removed_and_the_strokes_on_it_stay(rise, grey):
    character = drawn(*L_SHAPE)
    lifted = remove_ruled_line(ruled(character, 143, rise, grey))
    beside = character < 0.05
    assert lifted[beside].max() < 0.1
    assert (lifted[character > 0.95] > 0.95).all()


def test_two_lines_of_which_one_touches_leave_one():
    character = drawn(*L_SHAPE)
    lifted = remove_ruled_line(ruled(ruled(character, 143), 20))
    assert lifted[130:150, :60].max() == 0
    assert lifted[20, :60].min() > 0.3


@pytest.mark.parametrize(
    "points",
    [
        (0, 5, 199, 5, 100, 5, 100, 199),
        (0, 100, 199, 100, 100, 100, 100, 0, 100, 199),
        (0, 195, 199, 195, 0, 195, 0, 0),
        (10, 30, 190, 30, 5, 190, 199, 190),
        (100, 0, 100, 195, 0, 195, 199, 195),
    ],
    ids=["T", "+", "L", "Z", "1 with a foot"],
)
def test_a_character_cut_to_its_edge_keeps_its_bars(points):
    character = drawn(*points)
    assert np.array_equal(remove_ruled_line(character), character)


def test_a_line_through_the_middle_is_not_one_that_a_character_stands_on():
    picture = ruled(drawn(*L_SHAPE), 90)
    assert np.array_equal(remove_ruled_line(picture), picture)


def test_a_shadow_is_no_line():
    picture = ruled(drawn(*L_SHAPE), 150, width=40)
    assert np.array_equal(remove_ruled_line(picture), picture)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 1024), (1024, 3), (5, 5)])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_any_size_passes(shape, value):
    ink = np.full(shape, value, np.float32)
    assert remove_ruled_line(ink).shape == shape
    assert remove_ruled_line(np.random.default_rng(0).random(shape, np.float32)).shape == shape
