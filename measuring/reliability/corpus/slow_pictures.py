"""Pictures within all limits that keep a worker busy: many small parts, or large output from small input."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from measuring.reliability.corpus.case import Case, cases
from measuring.reliability.corpus.picture_files import (
    chunk,
    drawing,
    encode,
    gif,
    png,
    tiff,
    tiff_size,
    white_png,
    zlib_zeros,
)
from measuring.reliability.expected import READ_OR_REFUSED

MAX_BYTES = 16 * 2**20 - 1000  # of a body
LARGEST_PX = 5000  # 25 megapixels as a square
TEXT_BYTES = 2**20 - 1  # of a PNG's compressed text: Pillow decompresses no more


def slow_pictures() -> Iterator[Case]:
    """Yield pictures that are slow to open, to decode, or to search for characters."""
    contents = {
        "PNG of 25 megapixels, 64 bits each": lambda: white_png(LARGEST_PX, LARGEST_PX),
        "PNG of 1 x 25,000,000": lambda: png(1, 25_000_000, 8, zlib_zeros(50_000_000)),
        "PNG of 25,000,000 x 1": lambda: png(25_000_000, 1, 8, zlib_zeros(25_000_001)),
        "PNG of a million empty chunks": lambda: many_chunks(b"teSt", b""),
        "PNG of a million empty pixel chunks": lambda: many_chunks(b"IDAT", b""),
        "PNG of a million pixel chunks of a byte": lambda: many_chunks(b"IDAT", b"\x00"),
        "finished frame of a million pixel chunks": lambda: many_chunks(b"IDAT", b"", 28),
        "finished frame of a million pixel chunks of a byte": lambda: many_chunks(b"IDAT", b"\x00", 28),
        "PNG whose texts unpack to 60 MB": lambda: texts(60),
        "PNG whose texts unpack to 1 GB": lambda: texts(1000),
        "PNG of a colour profile that unpacks to 1 GB": profile,
        "JPEG of 20,000 scans": lambda: scans(20_000),
        "JPEG of 1,000 scans": lambda: scans(1000),
        "JPEG of 200,000 comments": lambda: comments(200_000),
        "GIF of 16 MB of comments": lambda: gif(
            28, 28, comments=b"!\xfe" + (b"\xff" + bytes(255)) * (MAX_BYTES // 256) + b"\x00"
        ),
        "GIF of 2 million comments": lambda: gif(28, 28, comments=b"!\xfe\x01\x00\x00" * (MAX_BYTES // 5)),
        "GIF of 24 megapixels": lambda: encode(Image.new("L", (4900, 4900), 255), "GIF"),
        "TIFF of 5,000 pages": lambda: pages(5000),
        "TIFF of a million values in a tag": lambda: tiff(
            *tiff_size(16, 16), (700, 1, MAX_BYTES, 8), content=bytes(MAX_BYTES)
        ),
        "TIFF of a page that follows itself": lambda: tiff(*tiff_size(16, 16), following=8),
        "TIFF of 65,535 tags": lambda: tiff(
            *tiff_size(16, 16), *((40_000 + i % 20_000, 4, 1, 8) for i in range(65_000))
        ),
        "TIFF of two million strips": lambda: strips(2_000_000),
        "EXIF that points at itself": exif_loop,
        "WebP of 24 megapixels": lambda: encode(Image.new("RGB", (4900, 4900), "white"), "WEBP", lossless=True),
        "noise of 2,000 x 2,000": lambda: encode(noise(2000, 2), "PNG"),
        "specks on 2,000 x 2,000": lambda: encode(specks(2000, 6, 2), "PNG"),
        "specks and bars on 2,000 x 2,000": lambda: encode(specks_and_bars(2000), "PNG"),
        "2,000 strokes": lambda: encode(strokes(2000), "PNG"),
        "2,000 strokes, each on a line of its own": lambda: encode(stairs(), "PNG"),
        "a comb of 1,000 teeth": lambda: encode(comb(2000), "PNG"),
    }
    return cases("", None, (READ_OR_REFUSED, contents))


def many_chunks(kind: bytes, content: bytes, side: int = 320) -> bytes:
    """Return a white PNG with as many chunks as fit into a body."""
    one = chunk(kind, content)
    pixels = zlib.compress((b"\x00" + b"\xff" * side) * side)
    return png(side, side, 8, pixels, extra=one * ((MAX_BYTES - len(pixels)) // len(one)))


def texts(count: int) -> bytes:
    """Return a PNG with compressed texts of TEXT_BYTES each."""
    text = chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(TEXT_BYTES), 9))
    return png(28, 28, 8, zlib.compress(bytes(28 * 29)), extra=text * count)


def profile() -> bytes:
    """Return a PNG with a colour profile of zeros."""
    return png(28, 28, 8, zlib.compress(bytes(28 * 29)), extra=chunk(b"iCCP", b"a\x00\x00" + zlib_zeros(10**9)))


def scans(count: int) -> bytes:
    """Return a progressive JPEG that repeats its last scan; each scan passes over all 24 megapixels."""
    whole = encode(Image.new("L", (4900, 4900), 255), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    tables = max(whole.rfind(b"\xff\xc4", 0, last), 0)
    return whole[:tables] + whole[tables:-2] * min(count, (MAX_BYTES - tables) // (len(whole) - tables)) + whole[-2:]


def comments(count: int) -> bytes:
    """Return a JPEG with many comments."""
    whole = encode(drawing(), "JPEG")
    return whole[:2] + b"\xff\xfe\x00\x03a" * count + whole[2:]


def pages(count: int) -> bytes:
    """Return a TIFF file of many pages."""
    content = tiff(*tiff_size(16, 16))
    page = content[8:-4]
    starts = [8 + i * (len(page) + 4) for i in range(count)]
    following = [*starts[1:], 0]
    return content[:8] + b"".join(page + struct.pack("<I", each) for each in following)


def strips(count: int) -> bytes:
    """Return a TIFF file of a picture of 1 px by `count` px in strips of one row."""
    offsets = 4096
    tags = (
        (256, 4, 1, 1), (257, 4, 1, count), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, count, offsets),
        (277, 3, 1, 1), (278, 4, 1, 1), (279, 3, count, offsets + 4 * count),
    )  # fmt: skip
    content = tiff(*tags)
    return content + bytes(offsets - len(content)) + struct.pack("<I", 8) * count + struct.pack("<H", 1) * count


def exif_loop() -> bytes:
    """Return a JPEG whose EXIF directory names itself as its sub-directory."""
    directory = struct.pack("<H", 2) + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<HHII", 0x8825, 4, 1, 8)
    return encode(drawing(), "JPEG", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + directory + struct.pack("<I", 8))


def noise(side: int, cell: int) -> np.ndarray:
    """Return a page of random cells, half of them ink."""
    cells = np.random.default_rng(0).integers(0, 2, (side // cell, side // cell), np.uint8) * 255
    return cells.repeat(cell, 0).repeat(cell, 1)


def specks(side: int, step: int, size: int) -> np.ndarray:
    """Return a page of specks, apart from each other."""
    page = np.full((side, side), 255, np.uint8)
    for row in range(size):
        for column in range(size):
            page[row + 1 :: step, column + 1 :: step] = 0
    return page


def specks_and_bars(side: int) -> np.ndarray:
    """Return a page of bars with specks between; each speck may be the dot of any bar."""
    page = specks(side, 6, 3)
    for left in range(0, side, 40):
        page[:, left : left + 20] = 255
        for top in range(0, side - 20, 30):
            page[top + 2 : top + 22, left + 2 : left + 18] = 0
    return page


def strokes(count: int) -> np.ndarray:
    """Return a page full of strokes as high as writing."""
    per_side = int(count**0.5)
    page = np.full((44 * per_side, 44 * per_side), 255, np.uint8)
    for row in range(per_side):
        for column in range(per_side):
            page[44 * row + 6 : 44 * row + 38, 44 * column + 18 : 44 * column + 26] = 0
    return page


def stairs() -> np.ndarray:
    """Return a page of strokes at different heights."""
    page = np.full((2040, 2040), 255, np.uint8)
    for i in range(1990):
        top = (i * 8 * 7) % 2020
        page[top + 1 : top + 7, i + i % 2 : i + i % 2 + 1] = 0
    return page


def comb(side: int) -> np.ndarray:
    """Return a page with one piece of ink across its full width, with many teeth."""
    page = np.full((side, side), 255, np.uint8)
    page[side // 2 : side // 2 + 8, 5:-5] = 0
    page[side // 4 : side // 2, 5:-5:2] = 0
    return page
