"""Pictures of what was found in a picture, as HTML."""

import io

import numpy as np
import pytest
from PIL import Image

from dashboard.shared import figures, view
from dashboard.shared.preview import preview, size_px
from handwriting.errors import InvalidImage
from handwriting.preprocess import character_box
from inkserve.client import Candidate, Character, PageReading, Prediction
from tests.pictures import encode


def drawing(width: int = 300, height: int = 200, **saved) -> bytes:
    """White paper with a black bar from 100, 50 to 120, 150."""
    image = Image.new("L", (width, height), 255)
    image.paste(0, (100, 50, 120, 150))
    content = io.BytesIO()
    image.save(content, "PNG", **saved)
    return content.getvalue()


def test_the_box_is_around_what_the_frame_is_made_of():
    assert character_box(drawing()) == pytest.approx((100, 50, 120, 150), abs=1)


def test_the_box_is_in_pixels_of_the_picture_that_was_sent():
    large = Image.open(io.BytesIO(drawing())).resize((3000, 2000))
    assert character_box(encode(np.asarray(large))) == pytest.approx((1000, 500, 1200, 1500), abs=12)


def test_a_finished_frame_has_no_box():
    frame = np.zeros((28, 28), np.uint8)
    frame[4:24, 13:15] = 255
    assert character_box(encode(frame)) is None


def test_a_picture_without_ink_has_no_box_and_says_why():
    with pytest.raises(InvalidImage, match="blank"):
        character_box(encode(np.full((60, 60), 255, np.uint8)))


def test_boxes_are_in_parts_of_the_picture_and_their_texts_escaped():
    page = figures.boxed(Image.new("L", (30, 20)), (300, 200), {(30, 20, 60, 100): '"<b>'}, "a page")
    assert "left:10.00%;top:10.00%;width:20.00%;height:50.00%" in page
    assert "&quot;&lt;b&gt;" in page
    assert "<b>" not in page


def test_a_heat_map_says_in_words_where_it_is_strongest():
    heat = np.zeros((28, 28), np.float32)
    assert figures.strongest(heat) == "nowhere"
    heat[2, 26] = 1
    assert figures.strongest(heat) == "at the top right"
    page = figures.frame_figure(np.zeros((28, 28)), heat, 0.4)
    assert "opacity:0.40" in page
    assert "at the top right" in page
    assert figures.warmth(heat).getpixel((26, 2))[3] == 255
    assert figures.warmth(heat).getpixel((0, 0))[3] == 0


def test_the_parts_of_a_latency_add_up_to_the_whole():
    page = figures.latency_strip(10.0, {"preprocessing": 1.0, "inference": 3.0, "handler": 5.0}, 2.0)
    for part in (
        "network and queue <b>5.0",
        "preprocessing <b>1.0",
        "inference <b>3.0",
        "worker <b>1.0",
        "rendering <b>2.0",
    ):
        assert part in page
    assert "round trip <b>10.0" in figures.latency_strip(10.0, {}, 2.0)


def test_an_unsure_answer_says_so_in_words():
    answer = Prediction("7", 0.55, (Candidate("7", 0.55),), "digits", "1.0", 3.0)
    assert "unsure" in view.prediction(answer, "", 0.6)
    assert "unsure" not in view.prediction(answer, "", 0.5)


def test_a_page_shows_its_text_escaped_and_how_much_of_it_is_unsure():
    characters = (Character("<", 0.9, (0, 0, 5, 5)), Character("1", 0.3, (9, 0, 5, 5)))
    page = view.page(PageReading("<1", characters, "reader", "1.0", 3.0), "", 0.6)
    assert "&lt;1" in page
    assert "2 characters, 1 of them unsure" in page


def test_a_preview_is_small_and_its_size_is_the_pictures_own():
    content = drawing()
    assert preview(content, 30).size == (30, 20)
    assert size_px(content) == (300, 200)
    assert preview(b"no picture", 30) is None
