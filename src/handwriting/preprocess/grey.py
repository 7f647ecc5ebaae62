"""Turns decoded pictures of any mode into grey values."""

import cv2
import numpy as np
from PIL import Image

from handwriting.errors import InvalidImage

MAX_16_BIT = 65535  # largest value of a 16-bit picture
OPAQUE = 255
RANGES = (1, *((1 << bits) - 1 for bits in range(8, 17)))  # largest values of 1 bit, and of 8 to 16


def grey_values(image: Image.Image) -> np.ndarray:
    """Turn an opened picture of any mode into (H, W) uint8 grey values."""
    if image.mode.startswith(("I", "F")):  # Pillow's own conversion clips larger values instead of scaling them
        return scaled_values(np.asarray(image, dtype=np.float32))
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (OPAQUE, OPAQUE):
        return np.asarray(image.convert("L"))
    if image.has_transparency_data:
        return composite(np.asarray(image.convert("LA")))
    if image.mode == "P":
        return cv2.LUT(np.asarray(image), palette_greys(image))
    return np.asarray(image.convert("L"))


def palette_greys(image: Image.Image) -> np.ndarray:
    """Return the grey of each index of a picture with a palette: (256,) uint8. Converting each pixel takes longer."""
    colours = bytes(image.getpalette("RGB") or b"")
    greys = np.zeros(256, np.uint8)
    row = Image.frombytes("RGB", (len(colours) // 3, 1), colours).convert("L")
    greys[: row.width] = np.asarray(row)[0]
    return greys


def scaled_values(values: np.ndarray) -> np.ndarray:
    """Scale (H, W) float32 values by the smallest range of bits that holds them: 1, or 8 to 16.

    Scanners and microscopes write 10 or 12 bits into files of 16.

    Returns:
        (H, W) uint8.

    Raises:
        InvalidImage: a value is negative, infinite, not a number, or over 65535.
    """
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > MAX_16_BIT:
        raise InvalidImage(f"the picture's values are not all numbers from 0 to {MAX_16_BIT}")
    return np.round(values * np.float32(OPAQUE / smallest_range(float(values.max())))).astype(np.uint8)


def smallest_range(most: float) -> int:
    """Return the largest value of the smallest range of bits, 1 or 8 to 16, that holds a value."""
    return next(top for top in RANGES if most <= top)


def composite(grey_alpha: np.ndarray) -> np.ndarray:
    """Composite grey and alpha over paper that contrasts with the ink: white, or black under light ink.

    Args:
        grey_alpha: (H, W, 2) uint8.

    Returns:
        (H, W) uint8.
    """
    grey, alpha = cv2.split(grey_alpha)
    if cv2.minMaxLoc(alpha)[0] == OPAQUE:
        return np.asarray(grey)
    inked = cv2.multiply(grey, alpha, scale=1 / OPAQUE)
    cover = cv2.mean(alpha)[0] / OPAQUE
    if 0 < cover < 0.5 < cv2.mean(inked)[0] / OPAQUE / cover:  # noqa: PLR2004 - mostly transparent, light where not
        return np.asarray(inked)
    return np.asarray(cv2.add(inked, cv2.bitwise_not(alpha)))
