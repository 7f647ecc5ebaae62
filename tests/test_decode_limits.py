"""Small files that would keep a worker busy are refused by their structure, and what people send is not."""

import numpy as np
import pytest

from handwriting.errors import ImageTooLarge, InvalidImage
from handwriting.pages.pieces import find_pieces
from handwriting.preprocess import decode_limits, read_picture
from handwriting.preprocess.decode_limits import check_decode_limits
from handwriting.preprocess.fast_png import read_small_png
from measuring.reliability.corpus import slow_pictures
from measuring.reliability.corpus.picture_files import (
    SEVEN,
    bmp,
    chunk,
    drawing,
    gif,
    png,
    readable,
    tiff,
    tiff_size,
    zlib_zeros,
)
from tests.pictures import encode


def refusal(content: bytes) -> str:
    with pytest.raises(InvalidImage) as caught:
        read_picture(content)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (lambda: slow_pictures.scans(60), "over 50 scans"),
        (lambda: slow_pictures.comments(3000), "over 2,000 segments"),
        (lambda: slow_pictures.many_chunks(b"IDAT", b"\x00", 28), "over 20,000 chunks"),
        (lambda: slow_pictures.many_chunks(b"teSt", b""), "over 20,000 chunks"),
        (lambda: gif(28, 28, comments=b"!\xfe\x01\x00\x00" * 60_000), "over 100,000 blocks"),
        (lambda: gif(28, 28, comments=b"!\xfe" + b"\x01a" * 110_000 + b"\x00"), "over 100,000 blocks"),
        (lambda: slow_pictures.strips(70_000), "over 65,536 strips"),
        (lambda: tiff(*tiff_size(16, 16), *((40_000 + i, 4, 1, 8) for i in range(2000))), "over 2,000 tags"),
        (lambda: slow_pictures.texts(5), "Too much memory used in text chunks"),
        (lambda: bmp(4000, 4000, 1, content=b"\x01\x00" * 600_000), "bytes of runs; at most 1,048,576"),
    ],
    ids=["scans", "segments", "pixel chunks", "chunks", "comments", "blocks", "strips", "tags", "texts", "runs"],
)
def test_a_file_of_too_many_parts_is_refused(content, complaint):
    assert complaint in refusal(content())


@pytest.mark.parametrize("content", [pytest.param(each.request.body, id=each.name) for each in readable()])
def test_usual_pictures_are_within_the_limits(content):
    check_decode_limits(content)


def test_the_bytes_of_a_scans_start_in_metadata_or_after_the_picture_are_no_scans():
    picture = encode(drawing(), "JPEG", progressive=True)
    many = decode_limits.SCAN * (decode_limits.MAX_SCANS + 1)
    segment = b"\xff\xe5" + (2 + len(many)).to_bytes(2) + many
    assert read_picture(picture[:2] + segment + picture[2:] + many).grey.shape == (320, 320)


def test_fill_bytes_and_garbage_hide_no_scans():
    whole = slow_pictures.scans(60)
    for hidden in (
        whole.replace(decode_limits.SCAN, b"\xff" + decode_limits.SCAN),
        whole.replace(decode_limits.SCAN, b"\x00\x07" + decode_limits.SCAN),
    ):
        assert "over 50 scans" in refusal(hidden)


@pytest.mark.parametrize("head", [b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"], ids=repr)
@pytest.mark.parametrize("length", [4, 8, 12, 20])
def test_a_tiff_that_is_cut_is_left_to_pillow(head, length):
    check_decode_limits((head + b"\x00\x08" * 10)[:length])


def test_strips_are_counted_on_each_page():
    assert [page.strips for page in decode_limits.tiff_pages(tiff(*tiff_size(16, 16)))] == [1]
    assert [page.strips for page in decode_limits.tiff_pages(slow_pictures.strips(1234))] == [1234]
    two = encode(drawing(), "TIFF", compression="tiff_lzw", save_all=True, append_images=[drawing()])
    assert [page.strips >= 1 for page in decode_limits.tiff_pages(two)] == [True, True]


def test_a_page_that_follows_itself_is_counted_up_to_the_limit():
    assert len(decode_limits.tiff_pages(tiff(*tiff_size(16, 16), following=8))) == decode_limits.MAX_PAGES + 1


def test_a_picture_of_one_endless_row_or_column_is_too_large():
    for width, height in ((70_000, 1), (1, 70_000)):
        with pytest.raises(ImageTooLarge, match="a side has at most 65,535"):
            read_picture(png(width, height, 8, zlib_zeros(height * (1 + width))))


def test_a_frame_in_a_large_file_is_left_to_pillow():
    frame = png(28, 28, 8, zlib_zeros(28 * 29))
    padded = frame.replace(chunk(b"IEND", b""), chunk(b"IDAT", b"") * 10_000 + chunk(b"IEND", b""))
    assert read_small_png(frame) is not None
    assert read_small_png(padded) is None


def test_a_whole_picture_is_still_a_picture():
    assert read_picture(SEVEN).grey.shape == (320, 320)


def test_a_page_of_very_many_specks_among_bars_is_refused_before_each_is_compared_with_each():
    page = np.zeros((2000, 2000), np.float32)
    for row, column in ((1000, 0), (1000, 1), (1001, 0), (1001, 1)):
        page[row::15, column::5] = 1
    page[0:990:33, 0::8] = 1
    for row in range(1, 20):
        page[row:990:33, 0::8] = 1
    with pytest.raises(InvalidImage, match=r"specks among [\d,]+ pieces of ink"):
        find_pieces(page)
