"""The quick way in for frames and small crops, held against the general one."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from handwriting.preprocess import decode, read_picture
from handwriting.preprocess.fast_png import HEADER, MAX_SIDE_PX, PLAIN_GREY, SIGNATURE, read_small_png
from tests.pictures import encode

FRAME = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(rows: bytes, *more: bytes, size: tuple[int, int] = (28, 28)) -> bytes:
    header = HEADER.pack(SIGNATURE, 13, b"IHDR", *size, *PLAIN_GREY)
    header += struct.pack(">I", zlib.crc32(header[12:]))
    return header + b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def general(content: bytes, monkeypatch) -> np.ndarray:
    with monkeypatch.context() as patch:
        patch.setattr(decode, "read_small_png", lambda _: None)
        return read_picture(content).grey


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_it_reads_what_pillow_reads(level, monkeypatch):
    crop = np.random.default_rng(1).integers(0, 256, (MAX_SIDE_PX, 61), np.uint8)
    for frame in (FRAME, np.zeros_like(FRAME), np.triu(FRAME), FRAME // 100 * 100, crop, crop[:1], crop[:, :1]):
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "PNG", compress_level=level)
        assert np.array_equal(read_small_png(buffer.getvalue()), frame)
        assert np.array_equal(read_picture(buffer.getvalue()).grey, general(buffer.getvalue(), monkeypatch))


@pytest.mark.parametrize("filter_number", range(5))
def test_all_filters_are_decoded_as_by_pillow(filter_number, monkeypatch):
    rows = b"".join(bytes([filter_number]) + row.tobytes() for row in FRAME)
    found = read_small_png(png(rows))
    assert np.array_equal(found, general(png(rows), monkeypatch))


def test_damaged_files_are_read_as_by_pillow(monkeypatch):
    content = encode(np.triu(FRAME) // 100 * 100)
    read = 0
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        found = read_small_png(bytes(damaged))
        if found is not None:
            read += 1
            assert np.array_equal(found, general(bytes(damaged), monkeypatch))
    assert read == 0


def test_truncated_files_are_not_read():
    content = encode(FRAME)
    assert not any(read_small_png(content[:length]) is not None for length in range(len(content)))


ROWS = bytes(28 * 29)


@pytest.mark.parametrize(
    "content",
    [
        png(ROWS[:-1]),
        png(ROWS + b"x"),
        png(ROWS, chunk(b"tRNS", b"\0\0")),
        png(ROWS, chunk(b"gAMA", struct.pack(">I", 45455))),
        png(ROWS)[: -len(chunk(b"IEND", b""))],
        encode(Image.new("L", (28, MAX_SIDE_PX + 1))),
        encode(Image.new("L", (MAX_SIDE_PX + 1, 28))),
        png(b"", size=(0, 28)),
        png(bytes(28), size=(28, 0)),
        png(ROWS, size=(2**31, 28)),
        encode(Image.new("RGB", (28, 28))),
        encode(Image.new("1", (28, 28))),
        b"",
    ],
    ids=[
        "a byte less",
        "a byte more",
        "transparency",
        "gamma",
        "no end",
        "too high",
        "too wide",
        "no columns",
        "no rows",
        "far too wide",
        "colours",
        "bits",
        "nothing",
    ],
)
def test_other_files_are_left_to_pillow(content):
    assert read_small_png(content) is None


def test_a_bomb_is_not_unpacked():
    assert read_small_png(png(bytes(50_000_000))) is None
