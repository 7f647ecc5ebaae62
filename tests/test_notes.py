"""What a recogniser of one character says about a picture besides the label."""

import cv2
import numpy as np
import pytest

from handwriting.preprocess import find_character, find_ink, read_picture
from handwriting.preprocess.notes import LEFT_OUT, count_characters
from tests.conftest import drawings
from tests.pictures import encode


def drawing(index: int) -> np.ndarray:
    return cv2.imread(str(drawings()[index]), cv2.IMREAD_GRAYSCALE)


def notes_on(grey: np.ndarray) -> tuple[str, ...]:
    return find_character(read_picture(encode(grey)), "mnist").notes


def boxed() -> np.ndarray:
    page = np.full((320, 320), 255, np.uint8)
    page[80:240, 80:240] = cv2.resize(drawing(0), (160, 160), interpolation=cv2.INTER_AREA)
    cv2.rectangle(page, (60, 60), (260, 260), 40, 4)
    return page


def test_a_drawing_of_one_digit_has_no_notes():
    assert [notes_on(drawing(index)) for index in range(0, len(drawings()), 5)] == [()] * len(drawings()[::5])


@pytest.mark.parametrize("count", [2, 3])
def test_several_digits_are_counted_and_the_reader_is_named(count):
    page = np.hstack([drawing(10 * index) for index in range(count)])
    assert notes_on(page) == (f"{count} characters side by side; `reader` reads them all",)


def test_digits_that_stand_far_apart_in_boxes_are_counted_though_one_is_read():
    pages = [drawing(10 * index) for index in range(3)]
    for page in pages:
        cv2.rectangle(page, (4, 4), (315, 315), 40, 4)
    page = np.hstack([np.pad(each, ((60, 60), (60, 60)), constant_values=255) for each in pages])
    assert "3 characters side by side; `reader` reads them all" in notes_on(page)
    left, _, right, _ = find_ink(page).box
    assert right - left < 440


def test_a_box_that_was_left_out_is_told():
    assert LEFT_OUT in notes_on(boxed())


def test_the_box_is_not_in_the_ink():
    ink = find_ink(boxed())
    left, top, right, bottom = ink.box
    assert min(left, top) > 70
    assert max(right, bottom) < 250
    assert ink.left_out > 0.5


def strokes(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    ink = np.zeros((60, 90), np.float32)
    for left, top, width, height in boxes:
        ink[top : top + height, left : left + width] = 1
    return ink


@pytest.mark.parametrize(
    ("boxes", "count"),
    [
        ([(10, 10, 8, 40)], 1),
        ([(10, 10, 8, 40), (40, 12, 8, 38)], 2),
        ([(10, 20, 8, 30), (11, 8, 6, 6)], 1),  # i
        ([(10, 10, 30, 5), (12, 20, 20, 35)], 1),  # 5 with a bar of its own
        ([(10, 10, 8, 40), (40, 45, 5, 5)], 1),  # a full stop
        ([(5, 5, 8, 50), (25, 5, 8, 50), (45, 5, 8, 50)], 3),
    ],
)
def test_tall_pieces_side_by_side_are_characters(boxes, count):
    assert count_characters(strokes(*boxes)) == count
