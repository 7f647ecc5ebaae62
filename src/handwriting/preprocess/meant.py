"""Pictures whose files say less than their programs meant: unused bits, and an alpha channel of zeros."""

import io
import sys

import numpy as np
from PIL import Image

from handwriting.preprocess.grey import OPAQUE, smallest_range

DEEP = ";16"  # in Pillow's raw modes of 16 bits a value
LOW = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}  # the byte order that gives the low bytes
HALF = 128  # high bytes below it: not all 16 bits are used


def as_meant(image: Image.Image, content: bytes) -> Image.Image:
    """Return a picture as the program that wrote it shows it.

    Args:
        image: opened, and checked against the limits; its pixels are loaded only if they may mean something else.
        content: its file.
    """
    if image.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        image.putalpha(OPAQUE)  # Windows does not look at the alpha of a BMP
    elif DEEP in raw_mode(image) and len(image.getbands()) > 1:
        return with_low_bits(image, content)
    return image


def raw_mode(image: Image.Image) -> str:
    """Return Pillow's name for how the file holds its values; "" if it has none."""
    tiles = getattr(image, "tile", ())
    arguments = tiles[0].args if tiles else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def with_low_bits(image: Image.Image, content: bytes) -> Image.Image:
    """Scale the values of a picture of 16 bits and several channels, of which Pillow takes the high bytes alone.

    One with 10 or 12 bits would be nearly black. A grey one is scaled by `grey_values`.
    """
    mode = raw_mode(image)
    high = np.asarray(image)
    alpha = high[..., -1:] if image.mode in ("RGBA", "LA") else high[..., :0]
    colours = high.shape[2] - alpha.shape[2]
    if high[..., :colours].max() >= HALF:
        return image
    with Image.open(io.BytesIO(content), formats=[str(image.format)]) as again:
        low_mode = mode[:-1] + LOW[mode[-1]]
        again.tile = [
            tile._replace(args=(low_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else low_mode)
            for tile in again.tile
        ]
        values = high[..., :colours].astype(np.float32) * 256 + np.asarray(again)[..., :colours]
    scaled = np.round(values * (OPAQUE / smallest_range(float(values.max())))).astype(np.uint8)
    meant = Image.fromarray(np.concatenate([scaled, alpha], axis=2), image.mode)
    meant.info = image.info
    return meant
