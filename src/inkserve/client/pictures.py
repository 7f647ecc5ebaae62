"""The pictures that a caller may pass, encoded as the bytes that are sent."""

import io
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard, runtime_checkable

from PIL import Image, ImageOps

from inkserve.client.exceptions import UnusablePicture

if TYPE_CHECKING:
    import numpy as np

# The server's limits, as in handwriting.preprocess.decode; a test compares them
MAX_BYTES = 16 * 2**20
MAX_MEGAPIXELS = 25
LONGEST_PX = 65_535
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # of arrays, by number of channels

PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}  # the ones that PNG keeps as they are
DEEP_MODES = ("I", "F")  # how the modes of more than 8 bits begin; TIFF keeps them all
SHAPES = "H x W, or H x W x 1 (grey), 3 (RGB) or 4 (RGBA)"
NUMBERS = "integers from 0 to 255 or floats from 0 to 1"


@runtime_checkable
class Readable(Protocol):
    """Something that is read when its turn comes, such as a `zipfile.Path`."""

    def read_bytes(self) -> bytes:
        """Return an encoded picture."""


@runtime_checkable
class BinaryFile(Protocol):
    """An open file, or something like it: an `io.BytesIO`, or Streamlit's UploadedFile."""

    def read(self, size: int = -1, /) -> bytes:
        """Return what follows."""


AnyPicture: TypeAlias = (
    "str | Path | Readable | BinaryFile | bytes | bytearray | memoryview | Image.Image | np.ndarray[Any, Any]"
)


def to_bytes(picture: AnyPicture) -> bytes:
    """Encode a picture, or read an encoded one as it is.

    Args:
        picture: a path or anything else with `read_bytes`; the bytes of a picture or PDF; a file that is open for
            reading bytes, which is read from its start and stays where it was; a Pillow image; or an array as
            `from_array` takes it.

    Raises:
        UnusablePicture: it is none of these, cannot be read, or is over MAX_BYTES, MAX_MEGAPIXELS or LONGEST_PX.
    """
    if isinstance(picture, str | Path):
        content = _read_file(Path(picture))
    elif isinstance(picture, bytes | bytearray | memoryview):
        content = bytes(picture)
    elif _is_array(picture):
        content = encode(from_array(picture))
    elif isinstance(picture, Image.Image):
        content = encode(picture)
    elif isinstance(picture, Readable):
        content = _read(picture)
    elif isinstance(picture, BinaryFile):
        content = _read_open(picture)
    else:
        raise UnusablePicture(
            f"{type(picture).__name__} is no picture; wanted a path, bytes, an open file, a Pillow image or an array"
        )
    _check_bytes(len(content))
    return content


def from_array(array: "np.ndarray[Any, Any]") -> Image.Image:
    """Turn an array into an image; its dtype, never its values, says which number is white.

    Args:
        array: H x W, or H x W x C with C = 1 (grey), 3 (RGB) or 4 (RGBA). Integers of any size from 0 to 255, where
            255 is white; or floats of any size from 0 to 1, where 1 is white, which are rounded to 8 bits.

    Raises:
        UnusablePicture: another shape, dtype or range, or over MAX_MEGAPIXELS.
    """
    import numpy as np  # noqa: PLC0415 - whoever has an array has NumPy

    pixels = array[..., None] if array.ndim == 2 else array  # noqa: PLR2004
    if pixels.ndim != 3 or pixels.shape[2] not in MODES or 0 in pixels.shape:  # noqa: PLR2004
        raise UnusablePicture(f"the array has shape {array.shape}; wanted {SHAPES}")
    if array.dtype.kind not in "iuf":
        raise UnusablePicture(f"the array holds {array.dtype}; wanted {NUMBERS}")
    _check_size(pixels.shape[1], pixels.shape[0])
    white = 1 if array.dtype.kind == "f" else 255
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= white):  # written so that NaN is outside, too
        raise UnusablePicture(f"the array holds {array.dtype} from {low:g} to {high:g}; wanted {NUMBERS}")
    if white == 1:
        pixels = (pixels.astype(np.float64) * 255).round()
    pixels = np.ascontiguousarray(pixels, np.uint8)
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels, MODES[pixels.shape[2]])


def encode(image: Image.Image) -> bytes:
    """Encode a Pillow image without loss, turned upright as its EXIF data say, as a file of it would be read.

    Raises:
        UnusablePicture: it is empty, over MAX_MEGAPIXELS, or its pixels cannot be loaded.
    """
    if 0 in image.size:
        raise UnusablePicture(f"the image is {image.width} x {image.height} px; wanted pixels")
    _check_size(image.width, image.height)
    buffer = io.BytesIO()
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith(DEEP_MODES):
            upright.save(buffer, "TIFF")
        else:
            if upright.mode not in PNG_MODES:
                upright = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
            upright.save(buffer, "PNG", compress_level=1)  # small is worth less than quick here
    except Exception as err:  # Pillow's decoders raise many kinds; each is about this picture only
        raise UnusablePicture(f"the image cannot be encoded: {err}") from err
    return buffer.getvalue()


def _read_file(path: Path) -> bytes:
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_size <= MAX_BYTES:  # never a pipe, nor gigabytes
            return path.read_bytes()
    except (OSError, ValueError) as err:
        raise UnusablePicture(f"{path} cannot be read: {getattr(err, 'strerror', None) or err}") from err
    _check_bytes(found.st_size)
    raise UnusablePicture(f"{path} is no file")


def _read(picture: Readable) -> bytes:
    try:
        return picture.read_bytes()
    except Exception as err:  # the caller's own code may raise anything; it is about this picture only
        raise UnusablePicture(f"{picture} cannot be read: {err}") from err


def _read_open(file: BinaryFile) -> bytes:
    name = getattr(file, "name", type(file).__name__)
    try:
        if isinstance(file, io.IOBase) and file.seekable():
            place = file.tell()
            file.seek(0)
            content = file.read(MAX_BYTES + 1)
            file.seek(place)
        else:
            content = file.read(MAX_BYTES + 1)
    except Exception as err:  # a closed file, or whatever the caller's own raises; it is about this picture only
        raise UnusablePicture(f"{name} cannot be read: {err}") from err
    if not isinstance(content, bytes | bytearray):
        raise UnusablePicture(f'{name} is open for text; wanted a file opened with "rb"')
    return bytes(content)


def _check_bytes(count: int) -> None:
    if count > MAX_BYTES:
        raise UnusablePicture(f"the picture has {count:,} bytes; at most {MAX_BYTES:,}")


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise UnusablePicture(f"the picture is {width} x {height} px; at most {MAX_MEGAPIXELS} megapixels")
    if max(width, height) > LONGEST_PX:
        raise UnusablePicture(f"the picture is {width} x {height} px; a side has at most {LONGEST_PX:,}")


def _is_array(picture: object) -> "TypeGuard[np.ndarray[Any, Any]]":
    numpy = sys.modules.get("numpy")  # not loaded: nobody has an array
    return numpy is not None and isinstance(picture, numpy.ndarray)
