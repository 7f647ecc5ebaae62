"""A picture decoded and prepared once, for everything that a page shows of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps

from handwriting.errors import RequestError
from handwriting.pages.page_ink import find_page_ink
from handwriting.preprocess import FORMS, MAX_SIDE_PX, Ink, Picture, find_ink, frames_of, is_frame, normal_form
from handwriting.preprocess.decode import draft, grey_values, opened, reduced
from handwriting.preprocess.frame import Box
from handwriting.preprocess.readings import AS_IT_IS

SHOWN_PX = 640  # longest side of a picture as a page shows it
TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class PreparedPicture:
    """A decoded picture; its ink is found when it is first needed.

    Attributes:
        size_px: its width and height, upright.
        shown: it in colour, upright, at most SHOWN_PX a side.
        grey: what `handwriting.preprocess.read_picture` returns for it.
    """

    size_px: tuple[int, int]
    shown: Image.Image = field(repr=False)
    grey: Picture = field(repr=False)

    def frames(self, form: str) -> Mapping[str, np.ndarray]:
        """Return the model inputs in a normal form: (28, 28) float32 in [0, 1], by reading, as `frames_of` does.

        Raises:
            InvalidImage: blank, a speck, or all ink.
        """
        return {AS_IT_IS: normal_form(self.grey, form)} if is_frame(self.grey) else frames_of(self._ink, FORMS[form])

    @cached_property
    def box(self) -> Box | None:
        """Left, top, right and bottom in px of the part that the frame is made from; None for a 28 x 28 frame.

        Raises:
            InvalidImage: blank, a speck, or all ink.
        """
        if is_frame(self.grey):
            return None
        left, top, right, bottom = (round(edge * self.grey.reduction) for edge in self._ink.box)
        return left, top, right, bottom

    def ink_on(self, image: Image.Image) -> np.ndarray:
        """Return the ink that was read, at the size of an image of this picture: (height, width) float32 in [0, 1].

        Raises:
            InvalidImage: blank, or a speck.
        """
        scale = image.width / self.grey.grey.shape[1]
        found, step = self._ink, self._ink.per_px * scale
        move = np.array([[step, 0, found.left * scale], [0, step, found.top * scale]], np.float32)
        return np.asarray(cv2.warpAffine(found.ink, move, image.size))

    def page_ink_on(self, image: Image.Image) -> np.ndarray:
        """Return the ink of all characters, as `ink_on` does, for a picture that is read as a page.

        Raises:
            InvalidImage: blank.
        """
        return np.asarray(cv2.resize(self._page_ink, image.size, interpolation=cv2.INTER_AREA))

    @cached_property
    def _ink(self) -> Ink:
        return find_ink(self.grey.grey)

    @cached_property
    def _page_ink(self) -> np.ndarray:
        return find_page_ink(self.grey.grey)


def prepare(picture: bytes) -> PreparedPicture:
    """Decode a picture once, into colours to show and the grey values that a recogniser works with.

    Raises:
        RequestError: it is not a picture, is damaged or too large.
    """
    with opened(picture) as image:
        channels, (width, height) = len(image.getbands()), image.size
        if image.getexif().get(ExifTags.Base.Orientation) in TURNED:
            width, height = height, width
        # A large JPEG decodes faster at a fraction of its size; YCbCr has both the colours and the exact grey values
        draft(image, "YCbCr", MAX_SIDE_PX)
        ImageOps.exif_transpose(image, in_place=True)
        grey = reduced(grey_values(image), channels, max(width, height), MAX_SIDE_PX)
        shown = _in_colour(image, grey)
    shown.thumbnail((SHOWN_PX, SHOWN_PX))
    return PreparedPicture((width, height), shown, grey)


def thumbnail(picture: bytes, longest_px: int) -> Image.Image | None:
    """Decode a picture to at most `longest_px` a side, or return None if it cannot be decoded."""
    try:
        with opened(picture) as image:
            image.draft(None, (longest_px, longest_px))
            ImageOps.exif_transpose(image, in_place=True)
            shown = _in_colour(image)
    except RequestError:
        return None
    shown.thumbnail((longest_px, longest_px))
    return shown


def digest(picture: bytes) -> str:
    """Return the sha256 of an encoded picture, in hexadecimal."""
    return hashlib.sha256(picture).hexdigest()


def _in_colour(image: Image.Image, grey: Picture | None = None) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # Pillow would clip the values of 16-bit pictures
        return Image.fromarray(grey.grey if grey else grey_values(image))
    return image.convert("RGB").convert("RGBA") if image.mode == "YCbCr" else image.convert("RGBA")
