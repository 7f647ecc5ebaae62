"""Pictures that are rare, damaged, or made to be too much: encoded, with what a server should make of them."""

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image

from handwriting.preprocess import FORMATS
from measuring.common.drawings import drawings
from measuring.reliability.judge import READ_OR_REFUSED, Wanted, read_as, refused
from measuring.reliability.wire import Content

LABEL = "7"
SEVEN = next(each.content for each in drawings() if each.label == LABEL)
FLIPS = 8  # damaged pictures of each format
ORIENTATION = 0x0112  # EXIF's tag
BOMB_PX = 50_000
PNG_START = b"\x89PNG\r\n\x1a\n"
BLOCK_BYTES = 2**20  # of zeros that are packed at once
DAMAGED = refused(400, "InvalidImage")
TOO_LARGE = refused(413, "ImageTooLarge")


class Picture(NamedTuple):
    """An encoded picture, and what a server should make of it."""

    content: Content
    wanted: Wanted


def drawing() -> Image.Image:
    """Return the plain picture, of which all readable ones are variants: a seven, dark on white."""
    return Image.open(io.BytesIO(SEVEN)).convert("L")


def encode(pixels: np.ndarray | Image.Image, form: str = "PNG", **options: object) -> bytes:
    """Encode uint8 pixels, or a picture, in a file format."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def readable() -> Iterator[tuple[str, Picture]]:
    """Yield pictures of the seven in all ways that people's programs write them."""
    plain = drawing()
    grey = np.asarray(plain)
    blank = Image.new("L", plain.size, 255)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    palette = plain.quantize(8)
    pages = {"save_all": True, "append_images": [blank]}
    variants: Mapping[str, bytes] = {
        **{f"plain {form}": encode(plain, form) for form in FORMATS},
        **{f"{mode} PNG": encode(plain.convert(mode)) for mode in ("1", "P", "LA", "RGB", "RGBA")},
        "16-bit PNG": encode(deep),
        "16-bit TIFF": encode(deep, "TIFF"),
        "32-bit float TIFF": encode(Image.fromarray(grey.astype(np.float32) / 255), "TIFF"),
        "palette PNG of two colours": encode(plain.convert("1").convert("P")),
        "palette PNG with a transparent colour": encode(palette, transparency=palette.getpixel((0, 0))),
        "CMYK JPEG": encode(plain.convert("CMYK"), "JPEG"),
        "CMYK TIFF": encode(plain.convert("CMYK"), "TIFF"),
        "progressive JPEG": encode(plain, "JPEG", progressive=True),
        "1-bit TIFF, fax": encode(plain.convert("1"), "TIFF", compression="group4"),
        "LZW TIFF": encode(plain, "TIFF", compression="tiff_lzw"),
        "JPEG in TIFF": encode(plain.convert("RGB"), "TIFF", compression="jpeg"),
        "1-bit BMP": encode(plain.convert("1"), "BMP"),
        "WebP without loss": encode(plain.convert("RGB"), "WEBP", lossless=True),
        "animated GIF": encode(plain, "GIF", **pages),
        "animated WebP": encode(plain.convert("RGB"), "WEBP", **pages),
        "animated PNG": encode(plain, "PNG", **pages),
        "TIFF of two pages": encode(plain, "TIFF", **pages),
        "alpha alone, black": encode(np.dstack([np.zeros_like(grey), 255 - grey])),
        "alpha alone, white": encode(np.dstack([np.full_like(grey, 255), 255 - grey])),
        "light on dark": encode(255 - grey),
    }  # fmt: skip
    turned = {3: 180, 6: 90, 8: 270}  # by EXIF's value: degrees anticlockwise that undo it
    for value, degrees in turned.items():
        exif = Image.Exif()
        exif[ORIENTATION] = value
        page = plain.rotate(degrees, expand=True)
        variants |= {
            f"EXIF-rotated {form} ({value})": encode(page, form, exif=exif) for form in ("JPEG", "PNG", "WEBP")
        }
    yield from ((name, Picture(content, read_as(LABEL))) for name, content in variants.items())


def damaged() -> Iterator[tuple[str, Picture]]:
    """Yield the seven cut short, and with bits flipped, in each format."""
    yield "nothing", Picture(b"", DAMAGED)
    random = np.random.default_rng(7)
    for form in FORMATS:
        whole = encode(drawing(), form)
        for share in (10, 3, 2):
            yield f"{form} cut to 1/{share}", Picture(whole[: len(whole) // share], DAMAGED)
        yield f"{form} of 12 bytes", Picture(whole[:12], DAMAGED)
        for number in range(FLIPS):
            content = bytearray(whole)
            for position in random.integers(0, min(len(whole), 4000), 1 + number):  # headers are at the front
                content[position] ^= 1 << int(random.integers(8))
            yield f"{form} with {1 + number} bits flipped", Picture(bytes(content), READ_OR_REFUSED)


def empty() -> Iterator[tuple[str, Picture]]:
    """Yield pictures without a character, and files that are no pictures."""
    page = np.full((50, 50), 255, np.uint8)
    speck = page.copy()
    speck[25, 25] = 0
    contents = {
        "a blank page": encode(page),
        "a black page": encode(page * 0),
        "a speck": encode(speck),
        "one pixel": encode(page[:1, :1]),
        "a blank frame": encode(np.zeros((28, 28), np.uint8)),
        "a clear page": encode(np.zeros((50, 50, 4), np.uint8)),
        "text": b"hello, world\n" * 9,
        "HTML": b"<html><script>alert(1)</script></html>",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
        "PDF": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n",
        "a PPM picture": b"P6 2 2 255 " + bytes(12),
        "an ICO picture": b"\x00\x00\x01\x00\x01\x00\x10\x10" + bytes(40),
        "a PSD picture": b"8BPS\x00\x01" + bytes(40),
        "AVIF's start": b"\x00\x00\x00\x1cftypavif" + bytes(40),
        "gzip": b"\x1f\x8b\x08" + bytes(40),
        "a program": b"\x7fELF" + bytes(100),
        "zeros": bytes(10_000),
        "the letter A, 1 MB": b"A" * 2**20,
    }
    yield from ((name, Picture(content, DAMAGED)) for name, content in contents.items())


def zeros(count: int) -> Iterator[bytes]:
    """Pack zeros with zlib as a stream, block by block, each of which is packed but once.

    Args:
        count: in bytes, a multiple of BLOCK_BYTES or not.
    """
    blocks, rest = divmod(count, BLOCK_BYTES)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(BLOCK_BYTES)) + packer.flush(zlib.Z_FULL_FLUSH)  # which depends on none before it
    yield from (block for _ in range(blocks))
    yield packer.compress(bytes(rest)) + packer.flush()


def zlib_zeros(count: int) -> bytes:
    """Pack zeros in zlib's format, whose checksum of them is known: the first half stays 1, the second counts."""
    return b"\x78\xda" + b"".join(zeros(count)) + struct.pack(">HH", count % 65521, 1)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, bits: int, data: bytes, *, extra: bytes = b"", colour: int = 0) -> bytes:  # noqa: PLR0913
    """Return a PNG file.

    Args:
        width: in px.
        height: in px.
        bits: of each value.
        data: its pixels, packed.
        extra: chunks before them.
        colour: type of PNG's, 0 is grey.
    """
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return PNG_START + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def white_png(width: int, height: int) -> bytes:
    """Return a PNG of clear pixels, 16 bits and four values each: what costs most to decode and to convert."""
    return png(width, height, 16, zlib_zeros(height * (1 + 8 * width)), colour=6)


def gif(width: int, height: int, frame: tuple[int, int] | None = None, comments: bytes = b"") -> bytes:
    """Return a GIF file with next to no pixels, whatever size it claims."""
    size = struct.pack("<HH", width, height)
    image = b"," + bytes(4) + (struct.pack("<HH", *frame) if frame else size) + b"\x00"
    return b"GIF89a" + size + b"\x80\x00\x00" + bytes(3) + b"\xff" * 3 + comments + image + b"\x02\x02\x4c\x01\x00;"


def bmp(width: int, height: int, packing: int = 0, bits: int = 8, content: bytes = bytes(100)) -> bytes:
    """Return a BMP file with a header that lies."""
    information = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packing, len(content), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(content), 0, 0, 54 + 1024) + information + bytes(1024) + content


def tiff(*tags: tuple[int, int, int, int], following: int = 0, content: bytes = b"") -> bytes:
    """Return a TIFF file of one directory.

    Args:
        tags: number, type, count and value of each.
        following: where the next directory begins.
        content: after it.
    """
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\x00\x08\x00\x00\x00" + directory + struct.pack("<I", following) + content


def tiff_size(width: int, height: int) -> tuple[tuple[int, int, int, int], ...]:
    """Return a grey picture's tags, its pixels where the file begins."""
    return (
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
        (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, min(width * height, 2**32 - 1)),
    )  # fmt: skip


def webp(width: int, height: int) -> bytes:
    """Return the start of a WebP file without loss that claims a size."""
    content = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(20)
    return b"RIFF" + struct.pack("<I", len(content) + 12) + b"WEBPVP8L" + struct.pack("<I", len(content)) + content


def jpeg(width: int, height: int) -> bytes:
    """Return a small JPEG whose header claims another size."""
    content = bytearray(encode(Image.new("L", (16, 16), 255), "JPEG"))
    position = content.index(b"\xff\xc0") + 5
    content[position : position + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def bombs() -> Iterator[tuple[str, Picture]]:
    """Yield small files that would become very much, or say so."""
    side = BOMB_PX
    yield (
        "PNG of 50,000 x 50,000, 1 bit",
        Picture(lambda: png(side, side, 1, zlib_zeros(side * (1 + side // 8))), TOO_LARGE),
    )
    yield (
        "PNG of 50,000 x 50,000, 8 bits",
        Picture(lambda: png(side, side, 8, zlib_zeros(side * (1 + side))), TOO_LARGE),
    )
    yield "PNG of 2^31 x 2^31", Picture(png(2**31 - 1, 2**31 - 1, 1, b""), TOO_LARGE)
    yield "PNG of 0 x 0", Picture(png(0, 0, 8, b""), DAMAGED)
    yield "PNG of 28 x 28 that unpacks to 2 GB", Picture(lambda: png(28, 28, 8, zlib_zeros(2**31)), READ_OR_REFUSED)
    yield "GIF of 60,000 x 60,000", Picture(gif(60_000, 60_000), TOO_LARGE)
    yield "GIF of 9 x 9 with a frame of 60,000 x 60,000", Picture(gif(9, 9, (60_000, 60_000)), TOO_LARGE)
    yield "BMP of 50,000 x 50,000", Picture(bmp(side, side), TOO_LARGE)
    yield "BMP of -50,000 x 50,000", Picture(bmp(-side, side), READ_OR_REFUSED)
    yield "BMP of 2^31 rows up", Picture(bmp(1, -(2**31)), READ_OR_REFUSED)
    yield "BMP of runs, 4,000 x 4,000", Picture(bmp(4000, 4000, 1, content=b"\xff\x00" * 62_746 + b"\x00\x01"), DAMAGED)
    yield "TIFF of 50,000 x 50,000", Picture(tiff(*tiff_size(side, side)), TOO_LARGE)
    yield "TIFF of 2^32 x 2^32", Picture(tiff(*tiff_size(2**32 - 1, 2**32 - 1)), READ_OR_REFUSED)
    yield "WebP of 16,383 x 16,383", Picture(webp(16_383, 16_383), TOO_LARGE)
    yield "JPEG of 65,500 x 65,500", Picture(jpeg(65_500, 65_500), TOO_LARGE)
    yield "JPEG of 4,900 x 4,900 without pixels", Picture(jpeg(4900, 4900), READ_OR_REFUSED)
