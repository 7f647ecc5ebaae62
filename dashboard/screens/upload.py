"""Upload a picture of one digit and see it read."""

import numpy as np
import streamlit as st
from PIL import Image, ImageOps

from dashboard import view
from dashboard.reading import show_reading
from handwriting.errors import RequestError
from handwriting.preprocess.decode import opened, read_picture

TYPES = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"]
PREVIEW_PX = 640


def main() -> None:
    """Lay out the picture on the left and its reading on the right; the columns stack on a phone."""
    left, right = st.columns(2, gap="medium")
    with left:
        upload = st.file_uploader("A picture of one digit", type=TYPES, key="upload")
        picture = upload.getvalue() if upload else None
        place = st.empty()  # takes the last picture away at once, also where the new one can't be shown
        if picture is not None and (shown := preview(picture)) is not None:
            place.image(shown)
    with right:
        if picture is None:
            st.html(view.note("Choose a picture of one digit: dark ink on light paper, or light on dark."))
        else:
            show_reading(picture)


def preview(picture: bytes) -> Image.Image | None:
    """Decode a picture to at most PREVIEW_PX a side, or return None where it can't be shown.

    Every type goes through Pillow, because browsers show no TIFF. Why a picture is broken is the server's to say.
    """
    try:
        with opened(picture) as image:
            if image.mode.startswith(("I", "F")):  # deep greys, which Pillow would clip
                shown = Image.fromarray((read_picture(picture).grey * 255).astype(np.uint8))
            else:
                shown = ImageOps.exif_transpose(image).convert("RGBA")
    except RequestError:
        return None
    shown.thumbnail((PREVIEW_PX, PREVIEW_PX))
    return shown


main()
