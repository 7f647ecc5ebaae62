"""The readings of a character's ink: without strokes that the ink network doubts, it may be another character."""

import cv2
import numpy as np
import pytest
import requests

from handwriting.preprocess import find_character, find_ink, read_picture
from handwriting.preprocess.notes import UNSURE
from handwriting.preprocess.readings import AS_IT_IS, CLEAREST, clearest_ink
from handwriting.serving.handler import MEANT, weigh
from tests.pictures import encode
from tests.test_doubt import on_paper

TIMEOUT_S = 60
STRUCK = [  # digit, and a stroke through it with which its ink as it is reads as another digit
    ("3", (30, 108), (210, 193)),
    ("5", (30, 159), (210, 91)),
    ("8", (30, 74), (210, 159)),
    ("9", (30, 108), (210, 57)),
]


def struck(digit: str, start: tuple[int, int], end: tuple[int, int]) -> np.ndarray:
    """A digit on paper, with a stroke through it that is a little lighter."""
    return cv2.line(on_paper(digit), start, end, 60, 9, cv2.LINE_AA)


def frames(page: np.ndarray) -> dict[str, np.ndarray]:
    character = find_character(read_picture(encode(page)), "mnist")
    return dict(zip(character.readings, character.frames, strict=True))


@pytest.mark.parametrize("digit", list("0123456789"))
def test_a_digit_on_paper_has_one_reading(digit):
    assert [*frames(on_paper(digit))] == [AS_IT_IS]


@pytest.mark.parametrize(("digit", "start", "end"), STRUCK)
def test_the_clearest_ink_of_a_struck_digit_loses_more_of_the_stroke_than_of_the_digit(digit, start, end):
    page = struck(digit, start, end)
    stroke = page.astype(int) < on_paper(digit).astype(int) - 100  # where it crosses paper
    of_digit = on_paper(digit) < 128
    ink = find_ink(page)
    move = np.array([[ink.per_px, 0, ink.left], [0, ink.per_px, ink.top]], np.float32)
    whole, clearest = (cv2.warpAffine(each, move, page.shape[::-1]) for each in (ink.ink, clearest_ink(ink)))
    kept_of_stroke, kept_of_digit = (clearest[part].sum() / whole[part].sum() for part in (stroke, of_digit))
    assert kept_of_stroke < 0.9
    assert kept_of_digit > 0.99
    assert [*frames(page)] == [AS_IT_IS, CLEAREST]


def test_a_faint_stroke_stays_unless_it_is_unclear_which_strokes_belong_to_the_character():
    found = find_ink(struck(*STRUCK[0]))
    side = len(found.ink)
    ink = np.zeros((side, side), np.float32)
    ink[20:24, 10:50], ink[40:44, 10:50] = 1, 0.6
    faint = found._replace(ink=ink, marks=np.zeros_like(ink), doubt=UNSURE / 2)
    assert clearest_ink(faint) is None
    marked = np.zeros_like(ink)
    marked[40:44, 10:50] = 0.4
    for without in (faint._replace(marks=marked), faint._replace(doubt=2 * UNSURE)):
        clearest = clearest_ink(without)
        assert np.array_equal(clearest[:30], ink[:30])
        assert not clearest[40:44].any()


def test_what_leaves_no_more_than_a_speck_is_no_reading():
    found = find_ink(struck(*STRUCK[0]))
    ink = np.full(found.ink.shape, 0.6, np.float32)
    ink[30:32, 30:32] = 1
    kept = clearest_ink(found._replace(ink=ink, doubt=2 * UNSURE))
    assert kept is not None
    assert np.count_nonzero(kept) == 36  # the sure pixels, and two around them
    ink[30:32, 30:32] = 0.7
    assert clearest_ink(found._replace(ink=ink, doubt=2 * UNSURE)) is None


def test_a_part_that_reads_surely_leaves_the_whole_in_doubt_if_that_reads_as_nothing():
    nothing, sure = np.full(10, 0.1, np.float32), np.zeros(10, np.float32)
    sure[3] = 1
    combined = weigh(np.stack([nothing, sure]), (AS_IT_IS, CLEAREST))
    assert combined.argmax() == 3
    assert 0.5 < combined.max() < 0.95


@pytest.mark.server
@pytest.mark.parametrize(("digit", "start", "end"), STRUCK)
def test_the_server_reads_struck_digits_and_says_what_it_left_out(stack, digit, start, end):
    page = struck(digit, start, end)
    as_it_is = np.round(frames(page)[AS_IT_IS] * 255).astype(np.uint8)
    wrong, right = (
        requests.post(stack.predictions_url, data=encode(each), timeout=TIMEOUT_S).json() for each in (as_it_is, page)
    )
    assert wrong["label"] != digit
    assert right["label"] == digit
    assert MEANT[CLEAREST] in right["notes"]


@pytest.mark.server
def test_an_explanation_shows_the_clearest_reading_where_it_counted(stack):
    page = struck(*STRUCK[0])
    url = stack.predictions_url.replace("/predictions/", "/explanations/")
    found = requests.post(url, data=encode(page), timeout=TIMEOUT_S).json()
    assert found["label"] == STRUCK[0][0]
    assert np.array_equal(found["frame"], np.round(frames(page)[CLEAREST] * 255))
