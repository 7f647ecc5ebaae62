"""Encoded pictures: rare, damaged, empty, and decompression bombs."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from handwriting.preprocess.formats import READ_HERE
from measuring.common.example_digits import drawings
from measuring.reliability.corpus.case import Bodies, Case, cases
from measuring.reliability.expected import READ, READ_OR_REFUSED, read_as, refused

LABEL = "7"
SEVEN = next(each.content for each in drawings() if each.label == LABEL)
MAX_FLIPS = 8  # bits of a damaged picture
ORIENTATION = 0x0112  # EXIF's tag
BOMB_PX = 50_000
PNG_START = b"\x89PNG\r\n\x1a\n"
BLOCK_BYTES = 2**20  # of zeros, compressed once
DAMAGED = refused(400, "InvalidImage")
TOO_LARGE = refused(413, "ImageTooLarge")


def drawing() -> Image.Image:
    """Return the picture that all readable ones are variants of: a seven, dark on white."""
    return Image.open(io.BytesIO(SEVEN)).convert("L")


def encode(pixels: np.ndarray | Image.Image, form: str = "PNG", **options: object) -> bytes:
    """Encode uint8 pixels, or a picture, in a file format."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def readable() -> Iterator[Case]:
    """Yield the seven in all file formats and variants of them that programs write."""
    plain = drawing()
    grey = np.asarray(plain)
    blank = Image.new("L", plain.size, 255)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    palette = plain.quantize(8)
    pages = {"save_all": True, "append_images": [blank]}
    variants = {
        **{f"plain {form}": encode(plain, form) for form in READ_HERE},
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
    # A recogniser of pages answers for each page
    several = {"TIFF of two pages": encode(plain, "TIFF", **pages), "PDF of two pages": encode(plain, "PDF", **pages)}
    return cases("", None, (read_as(LABEL), variants), (READ, several))


def damaged() -> Iterator[Case]:
    """Yield the seven cut short, and with flipped bits, in each format."""
    random = np.random.default_rng(7)
    short, flipped = {"nothing": b""}, {}
    for form in READ_HERE:
        whole = encode(drawing(), form)
        short |= {f"{form} cut to 1/{share}": whole[: len(whole) // share] for share in (10, 3, 2)}
        short[f"{form} of 12 bytes"] = whole[:12]
        for bits in range(1, MAX_FLIPS + 1):
            content = bytearray(whole)
            for position in random.integers(0, min(len(whole), 4000), bits):  # headers are at the front
                content[position] ^= 1 << int(random.integers(8))
            flipped[f"{form} with {bits} bits flipped"] = bytes(content)
    return cases("", None, (DAMAGED, short), (READ_OR_REFUSED, flipped))


def empty() -> Iterator[Case]:
    """Yield pictures without a character, and files that are not pictures."""
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
        "the start of a PDF": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n",
        "a PPM picture": b"P6 2 2 255 " + bytes(12),
        "an ICO picture": b"\x00\x00\x01\x00\x01\x00\x10\x10" + bytes(40),
        "a PSD picture": b"8BPS\x00\x01" + bytes(40),
        "AVIF's start": b"\x00\x00\x00\x1cftypavif" + bytes(40),
        "gzip": b"\x1f\x8b\x08" + bytes(40),
        "a program": b"\x7fELF" + bytes(100),
        "zeros": bytes(10_000),
        "the letter A, 1 MB": b"A" * 2**20,
    }
    return cases("", None, (DAMAGED, contents))


def zeros(count: int) -> Iterator[bytes]:
    """Deflate `count` zero bytes; the same compressed block is repeated."""
    blocks, rest = divmod(count, BLOCK_BYTES)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(BLOCK_BYTES)) + packer.flush(zlib.Z_FULL_FLUSH)  # the block refers to none before it
    yield from (block for _ in range(blocks))
    yield packer.compress(bytes(rest)) + packer.flush()


def zlib_zeros(count: int) -> bytes:
    """Compress zeros in zlib's format; the Adler-32 checksum of zeros is computed from their number."""
    return b"\x78\xda" + b"".join(zeros(count)) + struct.pack(">HH", count % 65521, 1)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, bits: int, data: bytes, *, extra: bytes = b"", colour: int = 0) -> bytes:  # noqa: PLR0913
    """Return a PNG file.

    Args:
        width: px.
        height: px.
        bits: per value.
        data: compressed pixels.
        extra: chunks before the pixels.
        colour: PNG's colour type; 0 is grey.
    """
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return PNG_START + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def white_png(width: int, height: int) -> bytes:
    """Return a PNG of transparent 16-bit RGBA pixels, the most expensive kind to decode and convert."""
    return png(width, height, 16, zlib_zeros(height * (1 + 8 * width)), colour=6)


def gif(width: int, height: int, frame: tuple[int, int] | None = None, comments: bytes = b"") -> bytes:
    """Return a GIF file with almost no pixels, whatever size it claims."""
    size = struct.pack("<HH", width, height)
    image = b"," + bytes(4) + (struct.pack("<HH", *frame) if frame else size) + b"\x00"
    return b"GIF89a" + size + b"\x80\x00\x00" + bytes(3) + b"\xff" * 3 + comments + image + b"\x02\x02\x4c\x01\x00;"


def bmp(width: int, height: int, packing: int = 0, bits: int = 8, content: bytes = bytes(100)) -> bytes:
    """Return a BMP file whose header claims a size."""
    information = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packing, len(content), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(content), 0, 0, 54 + 1024) + information + bytes(1024) + content


def tiff(*tags: tuple[int, int, int, int], following: int = 0, content: bytes = b"") -> bytes:
    """Return a TIFF file of one directory.

    Args:
        tags: number, type, count and value of each.
        following: offset of the next directory.
        content: bytes after it.
    """
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\x00\x08\x00\x00\x00" + directory + struct.pack("<I", following) + content


def tiff_size(width: int, height: int) -> tuple[tuple[int, int, int, int], ...]:
    """Return the tags of a grey picture whose pixels are the start of the file."""
    return (
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
        (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, min(width * height, 2**32 - 1)),
    )  # fmt: skip


def webp(width: int, height: int) -> bytes:
    """Return the start of a lossless WebP file that claims a size."""
    content = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(20)
    return b"RIFF" + struct.pack("<I", len(content) + 12) + b"WEBPVP8L" + struct.pack("<I", len(content)) + content


def jpeg(width: int, height: int) -> bytes:
    """Return a small JPEG whose header claims another size."""
    content = bytearray(encode(Image.new("L", (16, 16), 255), "JPEG"))
    position = content.index(b"\xff\xc0") + 5
    content[position : position + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def bombs() -> Iterator[Case]:
    """Yield small files that would decode to very much, or claim to."""
    side = BOMB_PX
    too_large: Bodies = {
        "PNG of 50,000 x 50,000, 1 bit": lambda: png(side, side, 1, zlib_zeros(side * (1 + side // 8))),
        "PNG of 50,000 x 50,000, 8 bits": lambda: png(side, side, 8, zlib_zeros(side * (1 + side))),
        "PNG of 2^31 x 2^31": png(2**31 - 1, 2**31 - 1, 1, b""),
        "GIF of 60,000 x 60,000": gif(60_000, 60_000),
        "GIF of 9 x 9 with a frame of 60,000 x 60,000": gif(9, 9, (60_000, 60_000)),
        "BMP of 50,000 x 50,000": bmp(side, side),
        "TIFF of 50,000 x 50,000": tiff(*tiff_size(side, side)),
        "WebP of 16,383 x 16,383": webp(16_383, 16_383),
        "JPEG of 65,500 x 65,500": jpeg(65_500, 65_500),
    }
    either: Bodies = {
        "PNG of 28 x 28 that unpacks to 2 GB": lambda: png(28, 28, 8, zlib_zeros(2**31)),
        "BMP of -50,000 x 50,000": bmp(-side, side),
        "BMP of 2^31 rows up": bmp(1, -(2**31)),
        "TIFF of 2^32 x 2^32": tiff(*tiff_size(2**32 - 1, 2**32 - 1)),
        "JPEG of 4,900 x 4,900 without pixels": jpeg(4900, 4900),
    }
    damaged = {
        "PNG of 0 x 0": png(0, 0, 8, b""),
        "BMP of runs, 4,000 x 4,000": bmp(4000, 4000, 1, content=b"\xff\x00" * 62_746 + b"\x00\x01"),
    }
    return cases("", None, (TOO_LARGE, too_large), (READ_OR_REFUSED, either), (DAMAGED, damaged))
