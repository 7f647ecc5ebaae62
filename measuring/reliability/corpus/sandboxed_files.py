"""Files that are decoded in a process of their own: readable ones, and those that would take much time or memory."""

import io
import struct
import zlib
from collections.abc import Iterator

import pillow_heif
from PIL import Image

from measuring.reliability.corpus.case import Bodies, Case, cases
from measuring.reliability.corpus.picture_files import (
    BOMB_PX,
    DAMAGED,
    LABEL,
    TOO_LARGE,
    drawing,
    encode,
    png,
    zlib_zeros,
)
from measuring.reliability.expected import READ_OR_REFUSED, read_as

SIDE_PX = 320  # of the drawing
MILLION = 1_000_000


def heic(image: Image.Image) -> bytes:
    """Encode a picture as phones do."""
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer)
    return buffer.getvalue()


def readable_apart() -> Iterator[Case]:
    """Yield the seven in each format that is decoded in a process of its own."""
    forms = {form: encode(drawing(), form) for form in ("AVIF", "JPEG2000", "PPM", "ICO")}
    # Large enough for a page: it is drawn at 200 dpi
    pdf = encode(drawing(), "PDF", resolution=100)
    return cases("", None, (read_as(LABEL), forms | {"HEIC": heic(drawing()), "PDF": pdf}))


def resized(content: bytes, width: int, height: int) -> bytes:
    """Return a HEIC or AVIF file of the drawing that claims another size."""
    return content.replace(struct.pack(">II", SIDE_PX, SIDE_PX), struct.pack(">II", width, height))


def pdf(*objects: bytes) -> bytes:
    """Return a PDF of these objects, numbered from 1; the first is the catalogue."""
    body, offsets = io.BytesIO(), []
    body.write(b"%PDF-1.7\n")
    for number, each in enumerate(objects, start=1):
        offsets.append(body.tell())
        body.write(b"%d 0 obj" % number + each + b"\nendobj\n")
    start = body.tell()
    body.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    body.write(b"".join(b"%010d 00000 n \n" % offset for offset in offsets))
    body.write(b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start))
    return body.getvalue()


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """Return a PDF's stream, packed by zlib already."""
    return b"<<%b/Filter/FlateDecode/Length %d>>stream\n%b\nendstream" % (entries, len(content), content)


def page_of(content: bytes, *others: bytes, box: str = "0 0 200 200", resources: bytes = b"") -> bytes:
    """Return a PDF of one page.

    Args:
        content: zlib-packed drawing commands.
        others: objects that follow, numbered from 5.
        box: of the page in points.
        resources: of the page.
    """
    page = f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 4 0 R/Resources<<".encode() + resources + b">>>>"
    pages = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", pages, page, stream(content), *others)


def many_objects() -> bytes:
    """Return a PDF of as many empty objects as fit into a body."""
    return page_of(zlib.compress(b""), *(b"0" for _ in range(300_000)))


def object_stream() -> bytes:
    """Return a PDF whose object stream claims a million objects."""
    packed = zlib.compress(b"".join(b"%d %d " % (i, 2 * i) for i in range(10, MILLION)), 9)
    return page_of(zlib.compress(b""), stream(packed, b"/Type/ObjStm/N 999990/First 9"))


def many_paths() -> bytes:
    """Return a PDF whose page draws a million long curves."""
    return page_of(zlib.compress(b"0 0 m 200 0 0 200 200 200 c S\n" * MILLION, 9))


def nested_forms() -> bytes:
    """Return a PDF whose page draws a form ten times, that draws another ten times, and so on."""
    forms = []
    for depth in range(12):
        resources = b"/Resources<</XObject<</F %d 0 R>>>>" % (6 + depth) if depth < 11 else b""  # noqa: PLR2004
        commands = b"/F Do " * 10 if resources else b"0 0 m 200 200 l S"
        forms.append(stream(zlib.compress(commands), b"/Type/XObject/Subtype/Form/BBox[0 0 200 200]" + resources))
    return page_of(zlib.compress(b"/F Do " * 10), *forms, resources=b"/XObject<</F 5 0 R>>")


def huge_picture(side: int) -> bytes:
    """Return a PDF whose page shows a black picture of side x side px."""
    head = b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB/BitsPerComponent 8" % (side, side)
    picture = stream(zlib_zeros(3 * side * side), head)
    return page_of(zlib.compress(b"200 0 0 200 0 0 cm /I Do"), picture, resources=b"/XObject<</I 5 0 R>>")


def icon(*pictures: tuple[int, bytes]) -> bytes:
    """Return an ICO file of pictures with the side that each claims."""
    start, entries, content = 6 + 16 * len(pictures), b"", b""
    for side, picture in pictures:
        entries += struct.pack("<BBBBHHII", side % 256, side % 256, 0, 0, 1, 32, len(picture), start + len(content))
        content += picture
    return struct.pack("<HHH", 0, 1, len(pictures)) + entries + content


def bombs_apart() -> Iterator[Case]:
    """Yield small files that claim to be large, or that take a decoder long."""
    side = BOMB_PX
    too_large: Bodies = {
        "PNM of 50,000 x 50,000": b"P5 50000 50000 255\n" + bytes(100),
        "plain PNM of 50,000 x 50,000": b"P1 50000 50000\n" + b"0 " * 100,
    }
    either: Bodies = {
        "HEIC that claims 5,000 x 4,999": resized(heic(drawing()), 5000, 4999),
        "HEIC that claims 2^31 x 2^31": resized(heic(drawing()), 2**31 - 1, 2**31 - 1),
        "AVIF that claims 5,000 x 4,999": resized(encode(drawing(), "AVIF"), 5000, 4999),
        "AVIF that claims 50,000 x 50,000": resized(encode(drawing(), "AVIF"), side, side),
        "JPEG 2000 that claims 50,000 x 50,000": resized(encode(drawing(), "JPEG2000"), side, side),
        "JPEG 2000 that claims 5,000 x 4,999": resized(encode(drawing(), "JPEG2000"), 5000, 4999),
        "AVIF of 25 megapixels": lambda: encode(Image.new("L", (5000, 5000), 255), "AVIF", speed=10),
        "JPEG 2000 of 25 megapixels": lambda: encode(Image.new("L", (5000, 5000), 255), "JPEG2000"),
        "plain PNM of 8 million numbers": lambda: b"P1 4000 2000\n" + b"0 " * 8 * MILLION,
        "PNM of 16-bit values": b"P5 320 320 65535\n" + bytes(2 * 320 * 320),
        "icon of a PNG of 50,000 x 50,000": lambda: icon((0, png(side, side, 1, zlib_zeros(side * (1 + side // 8))))),
        "icon of 60,000 pictures": lambda: icon(*[(16, b"")] * 60_000),
        "PDF of 300,000 objects": many_objects,
        "PDF of a stream of a million objects": object_stream,
        "PDF of a million curves": many_paths,
        "PDF of forms in forms in forms": nested_forms,
        "PDF of a picture of 4,000 x 4,000": lambda: huge_picture(4000),
        "PDF of a picture of 40,000 x 40,000": lambda: huge_picture(40_000),
        "PDF of a page of 14,400 x 14,400 points": page_of(zlib.compress(b"0 0 m 9 9 l S"), box="0 0 14400 14400"),
        "PDF of a page of 1 x 10^9 points": page_of(zlib.compress(b"0 0 m 9 9 l S"), box="0 0 1 1000000000"),
        "PDF whose page is its own parent": pdf(
            b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1000000000>>"
        ),
        "PDF that unpacks to 4 GB of blanks": lambda: page_of(zlib_zeros(2**32)),  # NUL is a blank,
    }
    damaged: Bodies = {
        "PDF of an empty page": page_of(zlib.compress(b"")),
        "JPEG XL that claims 2^30 x 2^30": b"\xff\x0a\xff\xff\xff\xff" + bytes(100),
        "a HEIC's start": b"\x00\x00\x00\x18ftypheic" + bytes(40),
    }
    return cases("", None, (TOO_LARGE, too_large), (READ_OR_REFUSED, either), (DAMAGED, damaged))
