"""Decodes a file within limits, in a process that `handwriting.sandbox.server` has forked for it.

Through its socket comes a line of JSON, the file, and an empty line for each page after the first that is wanted. Back
go lines of JSON: one with the number of pages, then for each page one with mode and size, followed by its pixels; or
one with an error.
"""

import io
import json
import os
import resource
import signal
import socket
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from handwriting.jpeg import END, SCAN, first_scan

MEMORY_BYTES = 2**30  # of address space; the largest picture takes a third of it
PROCESSOR_S = 5  # for each page
MAX_MEGAPIXELS = 25  # these two as in handwriting.preprocess.decode; a test compares them
LONGEST_PX = 65_535
PDF_PX, PDF_DPI = 2560, 200  # a page of a PDF is drawn at 200 dpi, but no larger than this
POINTS_PER_INCH = 72
MODES = {"1": "L", "I;16": "I", "I;16B": "I", "I;16L": "I", "LA": "LA", "L": "L", "I": "I", "F": "F", "RGBA": "RGBA"}
MISSING = "missing"  # share of the rows of a picture whose file ends early
NOISE = bytes((i * 89) % 251 for i in range(1024))
INVALID, TOO_LARGE = "InvalidImage", "ImageTooLarge"  # names of handwriting.errors


class PageError(Exception):
    """A page cannot be decoded; the arguments are the name of an error, and what is said of it."""


def answer(connection: socket.socket) -> None:
    """Read a file from a connection, and send its pages or an error."""
    with connection.makefile("rb") as asked, connection.makefile("wb") as out:
        request = json.loads(asked.readline())
        content = asked.read(request["bytes"])
        limit_time(request["wall_s"])
        try:
            for image in pages(request["format"], content, out):
                mode = MODES.get(image.mode) or ("RGBA" if image.has_transparency_data else "RGB")
                pixels = image if image.mode == mode else image.convert(mode)
                say(out, mode=mode, size=pixels.size, missing=image.info.get(MISSING))
                out.write(pixels.tobytes())
                out.flush()
                if not asked.readline():
                    return
                limit_time(request["wall_s"])
        except Exception as err:  # decoders raise many kinds; each is about this file only
            say(out, **error_of(err))


def limit_time(wall_s: float) -> None:
    """Have this process killed when a page takes too long."""
    _, hard_s = resource.getrlimit(resource.RLIMIT_CPU)
    used_s = sum(os.times()[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used_s) + 1 + PROCESSOR_S, hard_s))
    signal.setitimer(signal.ITIMER_REAL, wall_s)


def error_of(err: Exception) -> dict[str, str]:
    """Say what is wrong with a file that a decoder could not read."""
    if isinstance(err, PageError):
        kind, message = err.args
    elif isinstance(err, MemoryError):
        kind, message = INVALID, f"decoding it takes over {MEMORY_BYTES >> 20:,} MiB of memory"
    elif isinstance(err, Image.DecompressionBombError):
        kind, message = TOO_LARGE, f"{err}; at most {MAX_MEGAPIXELS} megapixels"
    elif isinstance(err, UnidentifiedImageError):
        kind, message = INVALID, "it is damaged or truncated: its header cannot be read"
    else:
        kind, message = INVALID, f"it is damaged or truncated: {str(err)[:200]}"
    return {"error": kind, "message": message}


def say(out: BinaryIO, **line: object) -> None:
    """Send a line of JSON."""
    out.write(json.dumps(line).encode() + b"\n")


def pages(form: str, content: bytes, out: BinaryIO) -> Iterator[Image.Image]:
    """Say how many pages a file has, and decode one after the other."""
    return pdf_pages(content, out) if form == "PDF" else picture(content, form, out)


def picture(content: bytes, form: str, out: BinaryIO) -> Iterator[Image.Image]:
    """Decode a picture, turned upright."""
    image: Image.Image
    with Image.open(io.BytesIO(content), formats=[form]) as image:
        check_size(*(image.ico.frame(0) if form == "ICO" else image).size)  # type: ignore[attr-defined]
        say(out, pages=1)
        if form == "JPEG":
            image = load_cut(content)  # noqa: PLW2901 - the same, without its missing rows
        elif form == "ICO" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
            image.putalpha(255)  # an empty alpha channel: Windows then looks at the mask alone
        ImageOps.exif_transpose(image, in_place=True)
        yield image


def load_cut(content: bytes) -> Image.Image:
    """Decode the rows that are there of a JPEG whose end is missing; its info has the share of MISSING ones.

    libjpeg makes the missing pixels up. They are those that change with what follows the file.
    """
    content = content.rstrip(b"\xff")
    image, other = (Image.open(io.BytesIO(content + tail + END)) for tail in (b"", NOISE))
    if "progressive" in image.info:
        if not has_all_coefficients(content):
            raise PageError(INVALID, "it is truncated: its details are missing")
        rows = image.height
    else:
        changed = ImageChops.difference(image, other).getbbox(alpha_only=False)
        rows = max(1, changed[1]) if changed else image.height
    cut = image.crop((0, 0, image.width, rows))
    cut.info[MISSING] = 1 - rows / image.height
    return cut


def has_all_coefficients(content: bytes) -> bool:
    """Tell whether the complete scans of a progressive JPEG give its first component all coefficients.

    The last scan is incomplete. If it only refines what others gave, all rows are there.

    Source: ITU-T T.81 (JPEG), B.2.3 and G.1.
    """
    seen: set[int] = set()
    first, start = None, first_scan(content)
    following = content.find(SCAN, start + 2)
    while following >= 0:
        components = content[start + 4]
        ids = content[start + 5 : start + 5 + 2 * components : 2]
        first = ids[0] if first is None else first
        if first in ids:
            low, high = content[start + 5 + 2 * components : start + 7 + 2 * components]
            seen |= set(range(low, high + 1))
        start, following = following, content.find(SCAN, following + 2)
    return seen >= set(range(64))


def pdf_pages(content: bytes, out: BinaryIO) -> Iterator[Image.Image]:
    """Draw pages of a PDF, with the ink that people add on a tablet."""
    import pypdfium2  # noqa: PLC0415

    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as err:
        if "password" in str(err).lower():
            raise PageError(INVALID, "it has a password; send it without one") from err
        raise
    say(out, pages=len(document))
    for i in range(len(document)):
        page = document[i]
        width, height = page.get_size()
        if not (width > 0 and height > 0):
            raise PageError(INVALID, f"page {i + 1} is {width:g} x {height:g} points")
        scale = min(PDF_DPI / POINTS_PER_INCH, PDF_PX / max(width, height))
        yield page.render(scale=scale, rev_byteorder=True).to_pil()
        page.close()


def check_size(width: int, height: int) -> None:
    """Raise an error if a picture has too many pixels."""
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise PageError(TOO_LARGE, f"the picture is {width} x {height} px; at most {MAX_MEGAPIXELS} megapixels")
    if max(width, height) > LONGEST_PX:
        raise PageError(TOO_LARGE, f"the picture is {width} x {height} px; a side has at most {LONGEST_PX:,}")
