"""The tables of docs/api.md list all content types, keys and parameters that the code knows."""

import re

from deploy.local.settings import ROOT
from handwriting.parsing import document, request
from handwriting.parsing.parts import PICTURE_KEYS
from handwriting.preprocess import formats
from handwriting.serving.request_log import ID_HEADER

PAGE = (ROOT / "docs" / "api.md").read_text()


def first_column(title: str) -> set[str]:
    """The words in `` of the first column of the table whose first title this is."""
    rows = re.search(rf"^\| {title} \|.*\n\|---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)[1]
    return {word for row in rows.splitlines() for word in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_all_content_types_are_listed():
    known = {*request.KINDS, *request.JSON_KINDS, request.TEXT_KIND, *request.FILES} - {""}
    assert first_column("content type") == known | {"image/*", "multipart/form-data"}


def test_all_keys_of_a_json_body_are_listed():
    assert first_column("key of a JSON body") == {*document.BODY_KEYS, *document.UNUSED_INSTANCE_KEYS}
    assert set(PICTURE_KEYS) < set(document.BODY_KEYS)


def test_all_headers_are_listed():
    [rows] = re.findall(r"^\| parameter \|.*\n\|---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    headers = {word.lower() for word in re.findall(r"`(X-[^`]+)`", rows)}
    assert headers == {request.TOP_K_HEADER, request.TIMING_HEADER, ID_HEADER}


def test_all_formats_are_listed():
    names = {"HEIF": "HEIC", "JPEG2000": "JPEG 2000", "PPM": "PNM", "WEBP": "WebP"}
    for form in (*formats.READ_HERE, *formats.READ_APART):
        name = names.get(form, form)
        assert re.search(rf"\b{name}\b", PAGE.partition("## Many pictures")[0])
        assert re.search(rf"\b{name}\b", formats.WANTED)
