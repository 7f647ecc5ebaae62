"""How sure an answer is where it is unclear which strokes are the character's."""

import cv2
import numpy as np
import pytest
import requests

from examples.digit_strokes import DIGIT_STROKES
from handwriting.preprocess import find_character, find_ink, read_picture
from handwriting.preprocess.notes import UNCLEAR
from handwriting.serving.handler import doubted, weigh
from tests.pictures import encode

SIDE_PX = 240
STROKE = ((30, 150), (210, 90))
TIMEOUT_S = 60


def on_paper(digit: str, *lines: tuple[tuple[int, int], tuple[int, int]]) -> np.ndarray:
    """A digit and lines of the same pen on paper that has a grain, so that the network looks for the ink."""
    page = np.random.default_rng(7).normal(225, 3, (SIDE_PX, SIDE_PX)).clip(0, 255).astype(np.uint8)
    for stroke in DIGIT_STROKES[digit][0]:
        cv2.polylines(page, [np.round(40 + np.multiply(stroke, 160)).astype(np.int32)], False, 40, 9, cv2.LINE_AA)
    for start, end in lines:
        cv2.line(page, start, end, 40, 9, cv2.LINE_AA)
    return page


def doubt(page: np.ndarray) -> float:
    return find_ink(page).doubt


@pytest.mark.parametrize("digit", ["0", "2", "3", "5", "6", "8"])
def test_a_stroke_through_a_digit_leaves_doubt_about_its_ink(digit):
    plain = doubt(on_paper(digit))
    assert 0 < 1.5 * plain < doubt(on_paper(digit, STROKE))


def test_much_doubt_is_told_and_little_is_not():
    def notes(page):
        return find_character(read_picture(encode(page)), "mnist").notes

    stamped = on_paper("1")
    cv2.putText(stamped, "PAID 42", (20, 150), cv2.FONT_HERSHEY_DUPLEX, 1.6, 110, 4, cv2.LINE_AA)
    assert UNCLEAR in notes(stamped)
    assert UNCLEAR not in notes(on_paper("1"))


def test_a_drawing_on_a_screen_and_a_frame_leave_none():
    page = np.full((SIDE_PX, SIDE_PX), 255, np.uint8)
    cv2.line(page, (120, 40), (120, 200), 0, 12)
    frame = np.zeros((28, 28), np.uint8)
    frame[4:24, 13:15] = 255
    assert [find_character(read_picture(encode(each)), "mnist").doubt for each in (page, frame)] == [0, 0]


def test_doubt_makes_an_answer_less_sure_and_keeps_the_order_of_its_labels():
    sure = np.array([0.001, 0.02, 0.97, 0.009, 0], np.float32)
    assert np.array_equal(doubted(sure, 0.0), sure)
    readings = [doubted(sure, each) for each in (0.05, 0.2, 0.4)]
    assert all(each.sum() == pytest.approx(1) for each in readings)
    assert all(np.array_equal(each.argsort(), sure.argsort()) for each in readings)
    assert 0.97 > readings[0].max() > 0.96 > readings[1].max() > readings[2].max() > 0.5


@pytest.mark.server
@pytest.mark.parametrize("digit", ["2", "3", "5"])
def test_the_server_is_less_sure_of_a_struck_digit_than_of_its_frames_alone(stack, digit):
    struck = on_paper(digit, STROKE)
    character = find_character(read_picture(encode(struck)), "mnist")
    frames = [np.round(each * 255).astype(np.uint8) for each in character.frames]
    of_picture, *of_frames = (
        np.array([each["probability"] for each in sorted(answer["top"], key=lambda each: each["label"])])
        for answer in (
            requests.post(f"{stack.predictions_url}?top_k=10", data=encode(each), timeout=TIMEOUT_S).json()
            for each in (struck, *frames)
        )
    )
    of_frame = weigh(np.stack(of_frames), character.readings)
    assert of_picture.max() < of_frame.max() - 0.02
    assert of_picture == pytest.approx(doubted(of_frame, doubt(struck)), abs=0.02)
