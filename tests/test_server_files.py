"""The files of today's phones and scanners, sent to the real server."""

import concurrent.futures

import pytest
import requests
from PIL import Image

from deploy.local.settings import ROOT
from measuring.reliability.corpus.sandboxed_files import bombs_apart
from tests.phone_pictures import blank, clear_bmp, deep, heic, of_pages, seven
from tests.pictures import encode, zipped

pytestmark = pytest.mark.server

TIMEOUT_S = 60
FILES = {
    "HEIC": lambda: heic(seven()),
    "AVIF": lambda: encode(seven(), "AVIF"),
    "JPEG 2000": lambda: encode(seven(), "JPEG2000"),
    "PGM": lambda: encode(seven(), "PPM"),
    "ICO": lambda: encode(seven(), "ICO"),
    "PDF": lambda: encode(seven(), "PDF"),
    "10-bit colour TIFF": lambda: deep(seven(), 10, ".tif"),
    "BMP with an empty alpha channel": lambda: clear_bmp(seven()),
}


def post(stack, body: bytes, model: str = "digits", **headers: str) -> requests.Response:
    return requests.post(f"{stack.inference_url}/predictions/{model}", data=body, headers=headers, timeout=TIMEOUT_S)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_a_phone_or_scanner_is_read(stack, name):
    answer = post(stack, FILES[name]()).json()
    assert (answer["label"], answer.get("notes")) == ("7", None)


def test_a_heic_under_its_content_type_and_as_a_part_of_a_form_is_read(stack):
    picture = heic(seven())
    assert post(stack, picture, **{"Content-Type": "image/heic"}).json()["label"] == "7"
    answer = requests.post(stack.predictions_url, files={"file": ("a.HEIC", picture)}, timeout=TIMEOUT_S).json()
    assert answer["label"] == "7"


def test_a_jpeg_without_its_last_two_bytes_is_read_with_a_note(stack):
    answer = post(stack, encode(seven(), "JPEG")[:-2]).json()
    assert (answer["label"], answer["notes"]) == ("7", ["the file ends early; all that is there was read"])


def test_a_pdf_under_its_content_type_is_read_page_by_page(stack):
    with Image.open(ROOT / "examples" / "pages" / "pi.png") as page:
        pages = [page.convert("L"), blank(), page.convert("L")]
    rows = post(stack, of_pages("PDF", pages), "reader", **{"Content-Type": "application/pdf"}).json()["predictions"]
    assert [(each["page"], each.get("text")) for each in rows] == [
        (1, "314 159\n26 535\n897 93"),
        (2, None),
        (3, "314 159\n26 535\n897 93"),
    ]


def test_a_recogniser_of_one_character_reads_the_first_page_that_is_not_blank(stack):
    answer = post(stack, of_pages("TIFF", [blank(), seven()])).json()
    assert answer["label"] == "7"
    assert answer["notes"][0].startswith("page 2 of 2 was read")


def test_a_known_format_is_refused_by_name(stack):
    answer = post(stack, b"\xff\x0a" + bytes(100))
    assert answer.status_code == 400
    assert "this is a JPEG XL picture; export it as PNG or JPEG" in answer.json()["message"]


def test_what_lies_beside_the_pictures_of_a_zip_file_is_counted(stack):
    body = zipped({"a.heic": heic(seven()), "Thumbs.db": b"x", "labels.csv": b"a,7", "__MACOSX/._a.heic": b"x"})
    answer = post(stack, body).json()
    assert [(each["name"], each["label"]) for each in answer["predictions"]] == [("a.heic", "7")]
    assert answer["left_out"] == 3


def test_bombs_at_the_same_time_kill_no_worker_and_other_requests_are_answered(stack, seven):
    worst = ("PDF of forms in forms in forms", "PDF of a picture of 40,000 x 40,000", "HEIC that claims 5,000 x 4,999")
    bodies = [case.request.body for case in bombs_apart() if case.name in worst]
    with concurrent.futures.ThreadPoolExecutor(len(bodies) + 1) as pool:
        bombs = [pool.submit(post, stack, body() if callable(body) else body) for body in bodies]
        assert pool.submit(post, stack, seven).result().json()["label"] == "7"
        assert [each.result().status_code for each in bombs] == [400] * len(bodies)
