"""Files of several pages, and animations: `reader` reads every page, the others the first that shows a character."""

import json
import sys

import pytest
from PIL import Image
from ts.context import RequestProcessor

from deploy.local.settings import ROOT
from handwriting.preprocess import page_files
from handwriting.preprocess.decode_limits import tiff_pages
from handwriting.serving import handler as serving
from handwriting.serving import page_handler
from measuring.reliability.corpus.picture_files import tiff, tiff_size
from tests.phone_pictures import blank, of_pages, seven
from tests.pictures import encode, zipped
from tests.test_handler import handler, make_context, packed, serve  # noqa: F401 - a fixture

sys.path.insert(0, str(ROOT / "handlers"))

from reader_handler import ReaderHandler

FORMS = ["PDF", "TIFF"]
PI = ROOT / "examples" / "pages" / "pi.png"


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> ReaderHandler:
    reader = ReaderHandler()
    reader.initialize(
        make_context(packed(ROOT / "weights" / "characters-1.0.safetensors", tmp_path_factory.mktemp("reader")))
    )
    return reader


def page() -> Image.Image:
    with Image.open(PI) as image:
        return image.convert("L")


def ask(reader, body: bytes) -> dict:
    context = make_context()
    context.request_processor = [RequestProcessor({})]
    return json.loads(reader.handle([{"body": body}], context)[0])


@pytest.mark.parametrize("form", FORMS)
def test_a_recogniser_of_one_character_reads_the_first_page_that_is_not_blank(handler, form):  # noqa: F811
    [(_, answer)] = serve(handler, [of_pages(form, [blank(), blank(), seven()])])
    assert (answer["label"], answer["notes"]) == (
        "7",
        ["page 3 of 3 was read, the first that shows a character; `reader` reads every page"],
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_recogniser_of_one_character_says_that_there_are_more_pages(handler, form):  # noqa: F811
    [(_, answer)] = serve(handler, [of_pages(form, [seven(), blank()])])
    assert (answer["label"], answer["notes"]) == ("7", ["page 1 of 2 was read; `reader` reads every page"])


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_one_page_needs_no_note(handler, form):  # noqa: F811
    [(_, answer)] = serve(handler, [of_pages(form, [seven()])])
    assert (answer["label"], answer.get("notes")) == ("7", None)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_blank_pages_is_refused_as_blank(handler, form):  # noqa: F811
    [(status, answer)] = serve(handler, [of_pages(form, [blank(), blank()])])
    assert (status, answer["type"]) == (400, "InvalidImage")
    assert "blank" in answer["message"]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_that_begins_blank_the_finished_drawing_is_read(handler, form):  # noqa: F811
    started = blank()
    started.paste(seven().crop((0, 0, 300, 120)))
    frames = [each.convert("RGB") for each in (blank(), started, seven())]
    [(_, answer)] = serve(handler, [of_pages(form, frames)])
    assert (answer["label"], answer["notes"]) == (
        "7",
        ["the last of 3 frames was read, as the first shows no character"],
    )


def test_an_animation_that_would_take_long_is_not_followed(handler, monkeypatch):  # noqa: F811
    monkeypatch.setattr(page_files, "MAX_FRAMES_MEGAPIXELS", 0.1)
    [(status, _)] = serve(handler, [of_pages("GIF", [blank(), seven()])])
    assert status == 400


@pytest.mark.parametrize("form", FORMS)
def test_the_reader_reads_every_page_and_numbers_them(reader, form):
    rows = ask(reader, of_pages(form, [page(), blank().resize(page().size), page()]))["predictions"]
    assert [each["page"] for each in rows] == [1, 2, 3]
    assert rows[0]["text"] == rows[2]["text"] == "314 159\n26 535\n897 93"
    assert "blank" in rows[1]["error"]["message"]


def test_pages_of_files_in_a_zip_file_have_the_names_of_their_files(reader):
    body = zipped({"a.pdf": of_pages("PDF", [page(), page()]), "b.png": encode(page())})
    rows = ask(reader, body)["predictions"]
    assert [(each["name"], each.get("page")) for each in rows] == [("a.pdf", 1), ("a.pdf", 2), ("b.png", None)]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_more_pages_than_are_read_says_so(reader, form, monkeypatch):
    monkeypatch.setattr(page_handler, "MAX_PAGES", 2)
    monkeypatch.setattr(page_files, "MAX_PAGES", 2)
    rows = ask(reader, of_pages(form, [page()] * 3))["predictions"]
    assert ["error" in each for each in rows] == [False, False, True]
    assert rows[2]["error"]["message"] == "not read: the file has 3 pages; at most 2: split it"


def test_pages_for_which_there_is_no_time_have_errors(reader, monkeypatch):
    monkeypatch.setattr(serving, "MAX_BATCH_S", -100.0)
    first, *others = ask(reader, of_pages("TIFF", [page()] * 3))["predictions"]
    assert first["text"] == "314 159\n26 535\n897 93"
    assert len(others) == 2
    assert all("the 1 pages before it took all the time" in each["error"]["message"] for each in others)


@pytest.mark.parametrize(("kind", "is_extra"), [(0, False), (1, True), (2, False), (4, True)])
def test_a_smaller_copy_and_a_mask_in_a_tiff_are_no_pages(kind, is_extra):
    assert [each.is_extra for each in tiff_pages(tiff((254, 4, 1, kind), *tiff_size(16, 16)))] == [is_extra]
