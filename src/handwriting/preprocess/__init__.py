"""From picture to network input: the one implementation that training, handlers and dashboard share.

bytes -> `read_picture` -> grey values -> `to_ink`, `lift_rule`, `drop_strays` -> ink -> `to_frame` -> the frame that a
network sees.
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
from handwriting.preprocess.ink import MIN_CONTRAST, to_ink
from handwriting.preprocess.paper import border_of
from handwriting.preprocess.rules import lift_rule
from handwriting.preprocess.strays import drop_strays

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

FORMS = {"mnist": MNIST, "emnist": EMNIST}  # by the name that a checkpoint's config carries
DARK = 0.2  # half of a finished frame's border, or more, is at most this grey
BORDER = border_of(np.arange(FRAME_PX**2).reshape(FRAME_PX, FRAME_PX))  # indices into a frame's pixels


def picture_frame(picture: bytes, form: str) -> np.ndarray:
    """Turn an encoded picture of one character into the frame that a recogniser sees.

    Args:
        picture: PNG, JPEG, WebP, BMP, GIF or TIFF.
        form: name of the recogniser's normal form.

    Returns:
        (28, 28) float32 in [0, 1]; 1 is ink, 0 is paper.

    Raises:
        InvalidImage: not a picture, damaged, blank, a speck, or all ink.
        ImageTooLarge: over the byte or pixel limit.
    """
    return normal_form(read_picture(picture), form)


def normal_form(picture: Picture, form: str) -> np.ndarray:
    """Bring a decoded picture into a normal form; a finished frame passes unchanged.

    Args:
        picture: of one character.
        form: "mnist" or "emnist".

    Returns:
        (28, 28) float32 in [0, 1]; 1 is ink, 0 is paper.

    Raises:
        InvalidImage: blank, a speck, or all ink.
    """
    if not is_finished_frame(picture):
        return to_frame(only_character(picture), FORMS[form])
    if picture.grey.max() < MIN_CONTRAST:
        raise InvalidImage("the picture is blank: a 28 x 28 frame without light ink")
    return picture.grey


def only_character(picture: Picture) -> np.ndarray:
    """Return the ink of a picture's character, (H, W) float32 in [0, 1], without the paper's lines and strays."""
    return drop_strays(lift_rule(to_ink(picture.grey)))


def character_box(picture: bytes) -> Box | None:
    """Find what of a picture its frame is made of: left, top, right and bottom in px; None for a finished frame.

    Raises:
        As `picture_frame`.
    """
    read = read_picture(picture)
    if is_finished_frame(read):
        return None
    left, top, right, bottom = (round(edge * read.reduction) for edge in ink_box(only_character(read)))
    return left, top, right, bottom


def is_finished_frame(picture: Picture) -> bool:
    """Tell whether a picture is a frame of MNIST's or EMNIST's kind: 28 x 28, one channel, light ink on black."""
    if picture.channels != 1 or picture.grey.shape != (FRAME_PX, FRAME_PX):
        return False
    dark = np.count_nonzero(picture.grey.ravel()[BORDER] <= DARK)
    return 2 * dark >= len(BORDER)
