"""`python -m handwriting.sandbox.child`: decodes a file on standard input to pixels on standard output.

The first line of its input is the format and how many pages are wanted; the file follows. Until then it waits, with all
that it needs loaded. It limits its own memory and processor time, and may write no files. What it prints is for
`handwriting.sandbox.parent`: a line of JSON with the number of pages, then for each page a line with mode and size,
followed by its pixels; or a line with an error.
"""

import contextlib
import io
import json
import os
import resource
import sys
import warnings
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

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


def main() -> None:
    """Wait for a file on standard input, and decode its first pages."""
    with contextlib.suppress(ImportError):  # a format that needs the missing one says so
        import pillow_heif  # noqa: F401, PLC0415
        import pypdfium2  # noqa: F401, PLC0415
    _, hard_s = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, hard_s))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    form, _, most_pages = sys.stdin.buffer.readline().decode().partition(" ")
    if form:  # else there was none, as the process that waits for it has ended
        decode(form, int(most_pages), sys.stdin.buffer.read(), sys.stdout.buffer, hard_s)


def decode(form: str, most_pages: int, content: bytes, out: BinaryIO, hard_s: int) -> None:
    """Print the first pages of a file, or an error."""
    try:
        for image in pdf_pages(content, most_pages, out) if form == "PDF" else picture(content, form, out):
            mode = MODES.get(image.mode) or ("RGBA" if image.has_transparency_data else "RGB")
            pixels = image if image.mode == mode else image.convert(mode)
            say(out, mode=mode, size=pixels.size, missing=image.info.get(MISSING))
            out.write(pixels.tobytes())
            out.flush()
            used_s = sum(os.times()[:2])
            resource.setrlimit(resource.RLIMIT_CPU, (int(used_s) + 1 + PROCESSOR_S, hard_s))
    except MemoryError:
        fail(out, INVALID, f"decoding it takes over {MEMORY_BYTES >> 20:,} MiB of memory")
    except Image.DecompressionBombError as err:
        fail(out, TOO_LARGE, f"{err}; at most {MAX_MEGAPIXELS} megapixels")
    except UnidentifiedImageError:
        fail(out, INVALID, "it is damaged or truncated: its header cannot be read")
    except Exception as err:  # decoders raise many kinds; each is about this file only
        fail(out, INVALID, f"it is damaged or truncated: {str(err)[:200]}")


def say(out: BinaryIO, **line: object) -> None:
    """Print a line of JSON."""
    out.write(json.dumps(line).encode() + b"\n")


def fail(out: BinaryIO, kind: str, message: str) -> NoReturn:
    """Print an error, and end."""
    say(out, error=kind, message=message)
    out.flush()
    os._exit(0)  # decoders that ran out of memory may not be able to clean up


def picture(content: bytes, form: str, out: BinaryIO) -> Iterator[Image.Image]:
    """Decode a picture, turned upright."""
    if form == "HEIF":
        import pillow_heif  # noqa: PLC0415

        pillow_heif.options.DECODE_THREADS = 1
        pillow_heif.register_heif_opener(thumbnails=False)
    image: Image.Image
    with Image.open(io.BytesIO(content), formats=[form]) as image:
        check_size(out, *(image.ico.frame(0) if form == "ICO" else image).size)  # type: ignore[attr-defined]
        say(out, pages=1)
        if form == "JPEG":
            image = load_cut(content, out)  # noqa: PLW2901 - the same, without its missing rows
        elif form == "ICO" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
            image.putalpha(255)  # an empty alpha channel: Windows then looks at the mask alone
        ImageOps.exif_transpose(image, in_place=True)
        yield image


def load_cut(content: bytes, out: BinaryIO) -> Image.Image:
    """Decode the rows that are there of a JPEG whose end is missing; its info has the share of MISSING ones.

    libjpeg makes the missing pixels up. They are those that change with what follows the file.
    """
    content = content.rstrip(b"\xff")
    image, other = (Image.open(io.BytesIO(content + tail + END)) for tail in (b"", NOISE))
    if "progressive" in image.info:
        if not has_all_coefficients(content):
            fail(out, INVALID, "it is truncated: its details are missing")
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


def pdf_pages(content: bytes, most_pages: int, out: BinaryIO) -> Iterator[Image.Image]:
    """Draw pages of a PDF, with the ink that people add on a tablet."""
    import pypdfium2  # noqa: PLC0415

    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as err:
        if "password" in str(err).lower():
            fail(out, INVALID, "it has a password; send it without one")
        raise
    say(out, pages=len(document))
    for i in range(min(most_pages, len(document))):
        page = document[i]
        width, height = page.get_size()
        if not (width > 0 and height > 0):
            fail(out, INVALID, f"page {i + 1} is {width:g} x {height:g} points")
        scale = min(PDF_DPI / POINTS_PER_INCH, PDF_PX / max(width, height))
        yield page.render(scale=scale, rev_byteorder=True).to_pil()
        page.close()


def check_size(out: BinaryIO, width: int, height: int) -> None:
    """End with an error if a picture has too many pixels."""
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        fail(out, TOO_LARGE, f"the picture is {width} x {height} px; at most {MAX_MEGAPIXELS} megapixels")
    if max(width, height) > LONGEST_PX:
        fail(out, TOO_LARGE, f"the picture is {width} x {height} px; a side has at most {LONGEST_PX:,}")


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # nobody waits for the rest
        main()
