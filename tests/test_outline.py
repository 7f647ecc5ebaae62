"""Characters drawn as an outline: a second frame of what it encloses, and the surer reading counts more."""

import cv2
import numpy as np
import pytest
import requests

from examples.digit_strokes import DIGIT_STROKES
from handwriting.preprocess import find_character, read_picture
from handwriting.preprocess.outline import enclosed
from handwriting.preprocess.readings import AS_IT_IS, INSIDE
from handwriting.serving.handler import MEANT, weigh
from tests.pictures import encode

SIDE_PX, BOLD_PX = 320, 36
TIMEOUT_S = 60


def drawn(digit: str, width_px: int) -> np.ndarray:
    """A digit in strokes of a width: (SIDE_PX, SIDE_PX) uint8, 255 is ink."""
    ink = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    for stroke in DIGIT_STROKES[digit][0]:
        cv2.polylines(ink, [np.round(np.multiply(stroke, SIDE_PX)).astype(np.int32)], False, 255, width_px)
    return ink


def outlined(digit: str) -> np.ndarray:
    """The outline of a digit in bold strokes, as `drawn`."""
    bold = drawn(digit, BOLD_PX)
    return cv2.dilate(bold, np.ones((5, 5), np.uint8)) - bold


def frames(ink: np.ndarray) -> np.ndarray:
    return find_character(read_picture(encode(255 - ink)), "mnist").frames


@pytest.mark.parametrize("digit", ["1", "2", "3", "5", "7"])
def test_an_outline_has_a_frame_of_its_inside_which_is_the_digit_itself(digit):
    lines, inside = frames(outlined(digit))
    [plain] = frames(drawn(digit, BOLD_PX))
    assert np.abs(inside - plain).mean() < 0.05 < np.abs(lines - plain).mean()


@pytest.mark.parametrize("digit", list(DIGIT_STROKES))
def test_strokes_of_a_usual_width_have_one_frame(digit):
    assert len(frames(drawn(digit, 24))) == 1


def test_a_small_loop_of_a_fine_pen_is_no_outline():
    ink = drawn("2", 4)
    cv2.circle(ink, (60, 250), 6, 255, 2)
    assert len(frames(ink)) == 1


def test_lines_within_an_outline_enclose_paper():
    lines = np.zeros((40, 40), np.uint8)
    for reach in (18, 12, 6):  # an outline, and two lines within
        cv2.rectangle(lines, (20 - reach, 20 - reach), (20 + reach, 20 + reach), 1)
    inside = enclosed(lines)
    assert inside[20, 5] == 1
    assert inside[20, 11] == 0
    assert inside[20, 20] == 0


def reading(label: int, probability: float) -> np.ndarray:
    rest = np.full(10, (1 - probability) / 9, np.float32)
    rest[label] = probability
    return rest


def test_the_surer_reading_counts_more():
    def weighed(*readings: np.ndarray) -> np.ndarray:
        return weigh(np.stack(readings), (AS_IT_IS, INSIDE)[: len(readings)])

    assert np.array_equal(weighed(reading(3, 0.8)), reading(3, 0.8))
    sure, unsure = reading(1, 0.95), reading(8, 0.4)
    assert weighed(unsure, sure).argmax() == 1
    assert weighed(unsure, sure).max() > 0.9
    assert weighed(sure, unsure).argmax() == 1
    assert weighed(sure, reading(0, 0.95)).max() < 0.5
    assert weighed(sure, unsure).sum() == pytest.approx(1)


@pytest.mark.server
@pytest.mark.parametrize(("digit", "notes"), [("2", None), ("3", None), ("5", None), ("7", [MEANT[INSIDE]])])
def test_the_server_reads_outlines_and_says_so_where_it_changes_the_label(stack, digit, notes):
    answer = requests.post(stack.predictions_url, data=encode(255 - outlined(digit)), timeout=TIMEOUT_S).json()
    assert answer["label"] == digit
    assert answer.get("notes") == notes


@pytest.mark.server
def test_an_explanation_shows_the_reading_that_counted(stack):
    url = stack.predictions_url.replace("/predictions/", "/explanations/")
    found = requests.post(url, data=encode(255 - outlined("7")), timeout=TIMEOUT_S).json()
    _, inside = frames(outlined("7"))
    assert found["label"] == "7"
    assert np.array_equal(found["frame"], np.round(inside * 255))
