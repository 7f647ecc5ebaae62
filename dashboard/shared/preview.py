"""Pictures as a browser shows them, whatever kind they were sent as."""

import base64
import io

import numpy as np
from PIL import Image, ImageOps

from handwriting.errors import RequestError
from handwriting.preprocess.decode import opened, read_picture


def preview(picture: bytes, longest_px: int) -> Image.Image | None:
    """Decode a picture to at most `longest_px` a side, or return None where it can't be shown.

    Every type goes through Pillow, because browsers show no TIFF. Why a picture is broken is the server's to say.
    """
    try:
        with opened(picture) as image:
            if image.mode.startswith(("I", "F")):  # deep greys, which Pillow would clip
                shown = Image.fromarray((read_picture(picture).grey * 255).astype(np.uint8))
            else:
                image.draft(None, (longest_px, longest_px))  # lets a large JPEG decode at a fraction of its size
                shown = ImageOps.exif_transpose(image).convert("RGBA")
    except RequestError:
        return None
    shown.thumbnail((longest_px, longest_px))
    return shown


def size_px(picture: bytes) -> tuple[int, int]:
    """Return a picture's width and height, upright.

    Raises:
        RequestError: it is none.
    """
    with opened(picture) as image:
        return ImageOps.exif_transpose(image).size


def data_url(image: Image.Image) -> str:
    """Write an image where HTML wants its address."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
