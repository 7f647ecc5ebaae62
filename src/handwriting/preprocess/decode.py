"""Decodes pictures of many formats to grey values, upright and without transparency."""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from handwriting import jpeg
from handwriting.errors import ImageTooLarge, InvalidImage, InvalidRequest, RequestError
from handwriting.preprocess.decode_limits import check_decode_limits
from handwriting.preprocess.fast_png import read_small_png
from handwriting.preprocess.formats import READ_HERE, describe_unread, format_apart
from handwriting.preprocess.grey import grey_values
from handwriting.preprocess.meant import as_meant
from handwriting.preprocess.windows import halved
from handwriting.sandbox.child import MISSING
from handwriting.sandbox.parent import decoding

MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # of arrays, by number of channels
MAX_MEGAPIXELS = 25
LONGEST_PX = 65_535  # longest side; each row costs time, and JPEG and WebP have no longer sides
MAX_SIDE_PX = 1536  # larger pictures are halved; a character needs no more
MAX_BYTES = 16 * 2**20  # as max_request_size in config.properties
MOST_MISSING = 0.1  # share of the rows of a JPEG that ends early
ONLY_0_AND_1 = (
    'the picture is blank: "data" holds 0 and 1 alone, both nearly black; wanted 0 to 255, or shares such as 0.5'
)
UNIT_VALUES = "the numbers were read as 0 for black to 1 for white, as none is larger"
ENDS_EARLY = "the file ends early; all that is there was read"
MAX_RUNS_BYTES = 2**20  # of a run-length encoded BMP, which Pillow decodes in slow Python

NO_RECTANGLE = '"data" is not a rectangle of numbers: rows differ in length, or hold other things'

# Raised by Pillow's decoders for damaged files, as found by fuzzing
DECODE_ERRORS = (
    UnidentifiedImageError,
    OSError,
    ValueError,
    SyntaxError,
    struct.error,
    EOFError,
    IndexError,
    TypeError,
)


class Picture(NamedTuple):
    """A decoded picture.

    Attributes:
        grey: (H, W) uint8; 0 is black, 255 is white.
        channels: of the picture as sent; an MNIST frame has one.
        reduction: factor by which the sides were reduced.
        notes: for people, about the file.
        is_cut: whether rows at one of its sides are missing, because the file ends early.
    """

    grey: np.ndarray
    channels: int
    reduction: float = 1.0
    notes: tuple[str, ...] = ()
    is_cut: bool = False


def read_picture(picture: bytes, max_side_px: int = MAX_SIDE_PX) -> Picture:
    """Decode a picture's first frame to grey values, rotated as its EXIF data say. Transparent pixels become paper.

    Args:
        picture: an encoded picture of one of READ_HERE or READ_APART.
        max_side_px: a larger picture is halved until its longest side is not larger.

    Raises:
        InvalidImage: the bytes are empty, not such a picture, or damaged.
        ImageTooLarge: over MAX_BYTES or MAX_MEGAPIXELS; the pixels are then not decoded.
    """
    frame = read_small_png(picture)
    if frame is not None:
        return Picture(frame, channels=1)
    return read_frame(picture, 0, max_side_px)


def read_frame(picture: bytes, frame: int, max_side_px: int = MAX_SIDE_PX) -> Picture:
    """Decode a page of a TIFF or a frame of an animation, counted from 0, as `read_picture` decodes the first.

    Raises:
        As `read_picture`.
    """
    with opened(picture, frame) as image:
        return from_image(image, max_side_px)


def from_image(image: Image.Image, max_side_px: int) -> Picture:
    """Turn an opened picture into grey values.

    Raises:
        InvalidImage: its values mean no grey, or much of it is missing.
    """
    channels = len(image.getbands())
    sent = max(image.size)
    draft(image, "L", max_side_px)
    ImageOps.exif_transpose(image, in_place=True)
    notes, is_cut = check_end(image)
    return reduced(grey_values(image), channels, sent, max_side_px)._replace(notes=notes, is_cut=is_cut)


def check_end(image: Image.Image) -> tuple[tuple[str, ...], bool]:
    """Return notes on a picture whose file ends early, and whether rows are missing.

    Raises:
        InvalidImage: more than MOST_MISSING of them are.
    """
    missing = image.info.get(MISSING)
    if missing is None:
        return (), False
    if missing > MOST_MISSING:
        raise InvalidImage(f"the JPEG is truncated: the last {missing:.0%} of its rows are missing")
    return (ENDS_EARLY,), missing > 0


def draft(image: Image.Image, mode: str, max_side_px: int) -> None:
    """Let a JPEG decode at the smallest fraction of its size at which it is over half of the largest that is kept."""
    longest = max(image.size)
    width, height = (max(1, side * max_side_px // 2 // longest) for side in image.size)
    image.draft(mode, (width, height))


@contextmanager
def opened(picture: bytes, frame: int = 0) -> Iterator[Image.Image]:
    """Open a picture after checking its header against the limits. Errors while it is decoded become ours, too.

    Args:
        picture: an encoded picture.
        frame: number of the page of a TIFF, or of the frame of an animation.

    Raises:
        InvalidImage: the bytes are empty, of no format that is read, or damaged.
        ImageTooLarge: over MAX_BYTES or MAX_MEGAPIXELS; the pixels are then not decoded.
    """
    if not picture:
        raise InvalidImage("the picture is empty: 0 bytes")
    if len(picture) > MAX_BYTES:
        raise ImageTooLarge(f"the picture has {len(picture):,} bytes; at most {MAX_BYTES:,}")
    check_decode_limits(picture)
    if form := "JPEG" if jpeg.is_cut(picture) else format_apart(picture):
        with decoding(picture, form) as decoded:
            yield next(decoded.pages)
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata and of sizes that are checked here
            with Image.open(io.BytesIO(picture), formats=READ_HERE) as image:
                if frame:
                    image.seek(frame)
                check_size(image.width, image.height)
                check_runs(image, len(picture))
                yield as_meant(image, picture)
    except RequestError:
        raise
    except Image.DecompressionBombError as err:
        raise ImageTooLarge(f"{err}; at most {MAX_MEGAPIXELS} megapixels") from err
    except UnidentifiedImageError as err:
        raise InvalidImage(describe_unread(picture)) from err
    except DECODE_ERRORS as err:
        raise InvalidImage(f"the picture is damaged or truncated: {err}") from err


def check_size(width: int, height: int) -> None:
    """Check a picture's size before its pixels are decoded.

    Raises:
        ImageTooLarge: over MAX_MEGAPIXELS, or with a side over LONGEST_PX.
    """
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise ImageTooLarge(f"the picture is {width} x {height} px; at most {MAX_MEGAPIXELS} megapixels")
    if max(width, height) > LONGEST_PX:
        raise ImageTooLarge(f"the picture is {width} x {height} px; a side has at most {LONGEST_PX:,}")


def check_runs(image: Image.Image, size_bytes: int) -> None:
    """Check the size of a run-length encoded BMP.

    Raises:
        InvalidImage: it is over MAX_RUNS_BYTES.
    """
    if size_bytes > MAX_RUNS_BYTES and any(tile.codec_name == "bmp_rle" for tile in getattr(image, "tile", ())):
        raise InvalidImage(f"the BMP has {size_bytes:,} bytes of runs; at most {MAX_RUNS_BYTES:,}")


def reduced(grey: np.ndarray, channels: int, sent: int, max_side_px: int) -> Picture:
    """Halve (H, W) uint8 grey values until no side is over max_side_px.

    Args:
        grey: values to shrink.
        channels: of the picture as sent.
        sent: longest side of the picture as sent, in px.
        max_side_px: longest side of the result.
    """
    while max(grey.shape) > max_side_px:
        grey = halved(grey)
    return Picture(grey, channels, sent / max(grey.shape))


def read_array(values: object, max_side_px: int = MAX_SIDE_PX) -> Picture:
    """Read a picture from nested lists of numbers.

    Args:
        values: H x W, or H x W x C with C = 1 (grey), 3 (RGB) or 4 (RGBA); numbers from 0 to 255, 255 is white. Where
            none is over 1, and one is no integer, 1 is white.
        max_side_px: a larger picture is halved until its longest side is not larger.

    Raises:
        InvalidImage: only 0 and 1.
        InvalidRequest: another shape, or something else than numbers from 0 to 255.
        ImageTooLarge: over MAX_MEGAPIXELS.
    """
    if isinstance(values, list) and len(values) > LONGEST_PX:  # NumPy takes a microsecond for each row
        raise InvalidRequest(f'"data" has {len(values):,} rows; at most {LONGEST_PX:,}')
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as err:
        raise InvalidRequest(NO_RECTANGLE) from err
    if array.dtype.kind not in "iuf":  # strings, booleans, null, numbers beyond 64 bits
        raise InvalidRequest(NO_RECTANGLE)
    if array.ndim == 2:  # noqa: PLR2004
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in MODES or 0 in array.shape:  # noqa: PLR2004
        raise InvalidRequest(f'"data" has shape {array.shape}; wanted H x W, or H x W x 1, 3 or 4')
    check_size(array.shape[1], array.shape[0])
    if not ((array >= 0) & (array <= 255)).all():  # noqa: PLR2004 - also catches NaN
        raise InvalidRequest('"data" holds values outside 0 to 255')
    is_unit = array.max() <= 1 and bool((array != array.round()).any())
    if not is_unit and (array.min(), array.max()) == (0, 1):
        raise InvalidImage(ONLY_0_AND_1)
    pixels = (array * 255 if is_unit else array).round().astype(np.uint8)
    image = Image.fromarray(pixels[..., 0] if array.shape[2] == 1 else pixels, MODES[array.shape[2]])
    notes = (UNIT_VALUES,) if is_unit else ()
    return reduced(grey_values(image), array.shape[2], max(image.size), max_side_px)._replace(notes=notes)
