"""From picture to network input; training, handlers and dashboard share this implementation.

bytes -> `read_picture` -> grey values -> `to_ink`, `remove_ruled_line`, `remove_strays` -> ink -> `to_frame` -> frame.
"""

import numpy as np

from handwriting.errors import InvalidImage
from handwriting.preprocess.decode import (
    FORMATS,
    MAX_BYTES,
    MAX_MEGAPIXELS,
    MAX_SIDE_PX,
    Picture,
    read_array,
    read_picture,
)
from handwriting.preprocess.frame import EMNIST, FRAME_PX, MNIST, Box, ink_box, to_frame, unit_frames
from handwriting.preprocess.paper import border_of
from handwriting.preprocess.polarity import MIN_CONTRAST, to_ink
from handwriting.preprocess.ruled_lines import remove_ruled_line
from handwriting.preprocess.strays import remove_strays

__all__ = [
    "FORMATS",
    "FORMS",
    "FRAME_PX",
    "MAX_BYTES",
    "MAX_MEGAPIXELS",
    "MAX_SIDE_PX",
    "Picture",
    "character_box",
    "normal_form",
    "picture_frame",
    "read_array",
    "read_picture",
    "unit_frames",
]

FORMS = {"mnist": MNIST, "emnist": EMNIST}  # by the name in a checkpoint's config
DARK = 0.2  # at least half of the border of an MNIST frame is no lighter than this grey
BORDER = border_of(np.arange(FRAME_PX**2).reshape(FRAME_PX, FRAME_PX))  # indices of a frame's border pixels


def picture_frame(picture: bytes, form: str) -> np.ndarray:
    """Turn an encoded picture of one character into a network's input frame.

    Args:
        picture: PNG, JPEG, WebP, BMP, GIF or TIFF.
        form: name of the recogniser's normal form.

    Returns:
        (28, 28) float32 in [0, 1]; 1 is ink, 0 is paper.

    Raises:
        InvalidImage: not a picture, damaged, blank, a speck, or filled with ink.
        ImageTooLarge: over the byte or pixel limit.
    """
    return normal_form(read_picture(picture), form)


def normal_form(picture: Picture, form: str) -> np.ndarray:
    """Bring a decoded picture into a normal form. A picture that is an MNIST frame already stays as it is.

    Args:
        picture: of one character.
        form: "mnist" or "emnist".

    Returns:
        (28, 28) float32 in [0, 1]; 1 is ink, 0 is paper.

    Raises:
        InvalidImage: blank, a speck, or filled with ink.
    """
    if not is_frame(picture):
        return to_frame(only_character(picture), FORMS[form])
    if picture.grey.max() < MIN_CONTRAST:
        raise InvalidImage("the picture is blank: a 28 x 28 frame without light ink")
    return picture.grey


def only_character(picture: Picture) -> np.ndarray:
    """Return the ink of a picture's character, (H, W) float32 in [0, 1], without ruled lines and strays."""
    return remove_strays(remove_ruled_line(to_ink(picture.grey)))


def character_box(picture: bytes) -> Box | None:
    """Find the box around a picture's character: left, top, right and bottom in px; None for an MNIST frame.

    Raises:
        As `picture_frame`.
    """
    read = read_picture(picture)
    if is_frame(read):
        return None
    left, top, right, bottom = (round(edge * read.reduction) for edge in ink_box(only_character(read)))
    return left, top, right, bottom


def is_frame(picture: Picture) -> bool:
    """Tell whether a picture is a frame as in MNIST or EMNIST: 28 x 28 px, one channel, light ink on black."""
    if picture.channels != 1 or picture.grey.shape != (FRAME_PX, FRAME_PX):
        return False
    dark = np.count_nonzero(picture.grey.ravel()[BORDER] <= DARK)
    return bool(2 * dark >= len(BORDER))
