"""A picture prepared once, and the HTML of what was found in it."""

import io

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from dashboard.shared import answer_html, picture_html
from dashboard.shared.prepared_picture import prepare, thumbnail
from handwriting.errors import ImageTooLarge, InvalidImage
from handwriting.preprocess import picture_frame, read_picture
from handwriting.preprocess.readings import AS_IT_IS
from inkserve.client import Candidate, Character, PageReading, Prediction
from measuring.reliability.corpus.picture_files import png
from tests.conftest import drawings
from tests.phone_pictures import heic, seven
from tests.pictures import encode


def drawing(width: int = 300, height: int = 200, **saved) -> bytes:
    """White paper with a black bar from 100, 50 to 120, 150."""
    image = Image.new("L", (width, height), 255)
    image.paste(0, (100, 50, 120, 150))
    content = io.BytesIO()
    image.save(content, "PNG", **saved)
    return content.getvalue()


def test_the_box_is_around_the_part_that_the_frame_is_made_from():
    assert prepare(drawing()).box == pytest.approx((100, 50, 120, 150), abs=1)


def test_the_box_is_in_pixels_of_the_picture_that_was_sent():
    large = Image.open(io.BytesIO(drawing())).resize((3000, 2000))
    assert prepare(encode(np.asarray(large))).box == pytest.approx((1000, 500, 1200, 1500), abs=12)


def test_a_finished_frame_has_no_box():
    frame = np.zeros((28, 28), np.uint8)
    frame[4:24, 13:15] = 255
    assert prepare(encode(frame)).box is None


def test_a_picture_without_ink_has_no_box_and_says_why():
    blank = prepare(encode(np.full((60, 60), 255, np.uint8)))
    for part in (lambda: blank.box, lambda: blank.frames("mnist")):
        with pytest.raises(InvalidImage, match="blank"):
            part()


FORMATS = {"PNG": {}, "JPEG": {"quality": 80}, "WEBP": {}, "TIFF": {}, "BMP": {}, "GIF": {}}


@pytest.mark.parametrize("turned", [False, True], ids=["upright", "turned"])
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_frame_is_the_one_of_the_server(kind, mode, turned):
    image = Image.open(io.BytesIO(drawing())).resize((2400, 1600)).convert(mode)
    exif = Image.Exif()
    if turned and kind in {"PNG", "JPEG", "WEBP"}:
        exif[ExifTags.Base.Orientation] = 6
    content = io.BytesIO()
    image.save(content, kind, exif=exif, **FORMATS[kind])
    found = prepare(content.getvalue())
    assert np.array_equal(found.grey.grey, read_picture(content.getvalue()).grey)
    assert np.array_equal(found.frames("mnist")[AS_IT_IS], picture_frame(content.getvalue(), "mnist"))
    assert found.size_px == ((1600, 2400) if exif else (2400, 1600))
    assert max(found.shown.size) == 640
    assert (found.shown.width < found.shown.height) == bool(exif)


def test_boxes_are_in_parts_of_the_picture_and_their_texts_escaped():
    page = picture_html.boxed(Image.new("L", (30, 20)), (300, 200), {(30, 20, 60, 100): '"<b>'}, "a page")
    assert "left:10.00%;top:10.00%;width:20.00%;height:50.00%" in page
    assert "&quot;&lt;b&gt;" in page
    assert "<b>" not in page


def test_a_heatmap_says_in_words_where_it_is_strongest():
    heat = np.zeros((28, 28), np.float32)
    assert picture_html.strongest(heat) == "nowhere"
    heat[2, 26] = 1
    assert picture_html.strongest(heat) == "at the top right"
    page = picture_html.frame_figure(np.zeros((28, 28)), heatmap=heat, opacity=0.4)
    assert "opacity:0.40" in page
    assert "at the top right" in page
    assert picture_html.warmth(heat).getpixel((26, 2))[3] == 255
    assert picture_html.warmth(heat).getpixel((0, 0))[3] == 0


def test_the_parts_of_a_latency_add_up_to_the_whole():
    page = picture_html.latency_strip(10.0, {"preprocessing": 1.0, "inference": 3.0, "handler": 5.0}, 2.0)
    for part in (
        "network and queue <b>5.0",
        "preprocessing <b>1.0",
        "inference <b>3.0",
        "other handler time <b>1.0",
        "rendering <b>2.0",
    ):
        assert part in page
    assert "round trip <b>10.0" in picture_html.latency_strip(10.0, {}, 2.0)


def test_an_unsure_answer_says_so_in_words():
    answer = Prediction("7", 0.55, (Candidate("7", 0.55),), "digits", "1.0", 3.0)
    assert "unsure" in answer_html.prediction(answer, "", 0.6)
    assert "unsure" not in answer_html.prediction(answer, "", 0.5)


def test_a_page_shows_its_text_escaped_and_how_much_of_it_is_unsure():
    characters = (Character("<", 0.9, (0, 0, 5, 5)), Character("1", 0.3, (9, 0, 5, 5)))
    reading = PageReading("<1", characters, "reader", "1.0", 3.0)
    page = answer_html.page(reading, "", 0.6)
    assert "&lt;1" in page
    assert "2 characters, 1 of them unsure: 1 (30.0 %)" in page
    assert "2 characters, the least sure one 1 (30.0 %)" in answer_html.page(reading, "", 0.2)
    none = PageReading("", (), "reader", "1.0", 3.0)
    assert "0 characters</p>" in answer_html.page(none, "", 0.6)


def test_a_thumbnail_is_small():
    content = drawing()
    assert thumbnail(content, 30).size == (30, 20)
    assert thumbnail(b"no picture", 30) is None


def test_an_answer_shows_its_notes():
    answer = Prediction("7", 0.9, (Candidate("7", 0.9),), "digits", "1.0", 3.0, notes=("2 characters <side> by side",))
    assert '<p class="ink-note">2 characters &lt;side&gt; by side.</p>' in answer_html.prediction(answer, "")


def boxed_drawing() -> bytes:
    """A digit in a printed box, at twice the size that a page shows."""
    page = np.full((1280, 1280), 255, np.uint8)
    digit = cv2.resize(cv2.imread(str(drawings()[0]), cv2.IMREAD_GRAYSCALE), (480, 480), interpolation=cv2.INTER_AREA)
    page[400:880, 400:880] = digit
    cv2.rectangle(page, (320, 320), (960, 960), 40, 12)
    return encode(page)


@pytest.mark.parametrize("part", ["ink_on", "page_ink_on"])
def test_the_ink_that_was_read_is_coloured_and_the_rest_fades(part):
    found = prepare(boxed_drawing())
    ink = getattr(found, part)(found.shown)
    pixels = np.asarray(picture_html.highlighted(found.shown, ink)).astype(int)
    digit, box = pixels[220:420, 220:420], pixels[158:163, 200:440]
    assert (np.abs(digit - picture_html.READ_RGB).sum(axis=2) < 60).mean() > 0.02
    assert box.min() > 120  # it was 40
    assert (np.abs(box - picture_html.READ_RGB).sum(axis=2) < 60).mean() < 0.01


@pytest.mark.parametrize("form", ["HEIF", "AVIF", "PDF"])
def test_a_picture_of_a_phone_is_shown_after_it_was_decoded_within_limits(form):
    content = heic(seven()) if form == "HEIF" else encode(seven(), form)
    assert prepare(content).shown.size == thumbnail(content, 640).size
    assert thumbnail(content, 100).size == (100, 100)


def test_a_bomb_is_not_shown():
    bomb = png(50_000, 50_000, 1, b"")
    assert thumbnail(bomb, 100) is None
    with pytest.raises(ImageTooLarge):
        prepare(bomb)
