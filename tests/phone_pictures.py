"""Files as phones, scanners and office programs write them."""

from collections.abc import Sequence

import cv2
import numpy as np
import pillow_heif
from PIL import Image

from tests.pictures import encode

SIDE_PX = 300
pillow_heif.register_heif_opener()  # to write HEIC; the decoder registers it in a process of its own


def seven() -> Image.Image:
    """Our drawing of a seven, dark on white."""
    with Image.open("examples/digits/7-1.png") as drawing:
        return drawing.convert("L").resize((SIDE_PX, SIDE_PX))


def blank() -> Image.Image:
    return Image.new("L", (SIDE_PX, SIDE_PX), 255)


def heic(image: Image.Image, **options: object) -> bytes:
    return encode(image, "HEIF", quality=80, **options)


def of_pages(form: str, pages: Sequence[Image.Image]) -> bytes:
    return encode(pages[0], form, save_all=True, append_images=pages[1:])


def deep(image: Image.Image, bits: int, suffix: str) -> bytes:
    """Values of `bits` bits in the low bits of 16, in three channels."""
    values = np.asarray(image).astype(np.uint32) * (2**bits - 1) // 255
    return cv2.imencode(suffix, np.dstack([values.astype(np.uint16)] * 3))[1].tobytes()


def clear_bmp(image: Image.Image) -> bytes:
    """A BMP with an alpha channel of zeros, which Windows shows as opaque."""
    grey = np.asarray(image)
    return cv2.imencode(".bmp", np.dstack([grey, grey, grey, np.zeros_like(grey)]))[1].tobytes()
