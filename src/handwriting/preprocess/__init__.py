"""From picture to network input; training, handlers and dashboard share this implementation.

bytes -> `read_picture` -> grey values -> `find_ink` -> ink -> `frames_of` -> frames, one for each reading.
"""

from typing import NamedTuple

import numpy as np

from handwriting.errors import InvalidImage
from handwriting.preprocess.decode import (
    MAX_BYTES,
    MAX_MEGAPIXELS,
    MAX_SIDE_PX,
    Picture,
    read_array,
    read_picture,
)
from handwriting.preprocess.frame import EMNIST, FRAME_PX, MNIST, Box, unit_frames
from handwriting.preprocess.ink import Ink, find_ink
from handwriting.preprocess.notes import notes_on
from handwriting.preprocess.readings import AS_IT_IS, frames_of
from handwriting.preprocess.windows import border_of

__all__ = [
    "FORMS",
    "FRAME_PX",
    "MAX_BYTES",
    "MAX_MEGAPIXELS",
    "MAX_SIDE_PX",
    "Ink",
    "Picture",
    "character_box",
    "check_cut",
    "find_character",
    "find_ink",
    "frames_of",
    "is_frame",
    "normal_form",
    "picture_frame",
    "read_array",
    "read_picture",
    "unit_frames",
]

FORMS = {"mnist": MNIST, "emnist": EMNIST}  # by the name in a checkpoint's config
DARK = 51  # at least half of the border of an MNIST frame is no lighter than this grey
CUT_SHARE = 0.01  # of a picture's longer side: ink so close to a side may go on where rows are missing
FAINTEST = 30  # a frame without a lighter pixel is blank
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


class Character(NamedTuple):
    """A picture of one character, as a network takes it.

    Attributes:
        frames: (n, 28, 28) float32 in [0, 1]; 1 is ink, 0 is paper.
        readings: of which reading of its ink each frame is, as `frames_of` names them.
        doubt: how unsure it is which ink is the character's, as `Ink` has it.
        notes: for people, about what else the picture shows.
    """

    frames: np.ndarray
    readings: tuple[str, ...] = (AS_IT_IS,)
    doubt: float = 0.0
    notes: tuple[str, ...] = ()


def find_character(picture: Picture, form: str) -> Character:
    """Find a decoded picture's character. A picture that is an MNIST frame already stays as it is.

    Args:
        picture: of one character.
        form: "mnist" or "emnist".

    Raises:
        InvalidImage: blank, a speck, or cut off.
    """
    if not is_frame(picture):
        ink = find_ink(picture.grey)
        check_cut(picture, ink.box)
        frames = frames_of(ink, FORMS[form])
        return Character(np.stack([*frames.values()]), (*frames,), ink.doubt, (*notes_on(ink), *picture.notes))
    if picture.grey.max() < FAINTEST:
        raise InvalidImage("the picture is blank: a 28 x 28 frame without light ink")
    return Character(np.asarray(np.divide(picture.grey, 255, dtype=np.float32))[None], notes=picture.notes)


def check_cut(picture: Picture, box: Box) -> None:
    """Check that a picture whose file ends early shows all of its writing.

    Args:
        picture: of which rows at one side may be missing.
        box: around the writing, in px.

    Raises:
        InvalidImage: it reaches a side of the picture, and so perhaps the missing rows.
    """
    height, width = picture.grey.shape
    left, top, right, bottom = box
    margin = CUT_SHARE * max(height, width)
    if picture.is_cut and min(left, top, width - right, height - bottom) < margin:
        raise InvalidImage("the JPEG is truncated, and its writing reaches the rows that are missing")


def normal_form(picture: Picture, form: str) -> np.ndarray:
    """Bring a decoded picture into a normal form: the first frame that `find_character` returns, with its errors."""
    return np.asarray(find_character(picture, form).frames[0])


def character_box(picture: bytes) -> Box | None:
    """Find the box around a picture's character: left, top, right and bottom in px; None for an MNIST frame.

    Raises:
        As `picture_frame`.
    """
    read = read_picture(picture)
    if is_frame(read):
        return None
    left, top, right, bottom = (round(edge * read.reduction) for edge in find_ink(read.grey).box)
    return left, top, right, bottom


def is_frame(picture: Picture) -> bool:
    """Tell whether a picture is a frame as in MNIST or EMNIST: 28 x 28 px, one channel, light ink on black."""
    if picture.channels != 1 or picture.grey.shape != (FRAME_PX, FRAME_PX):
        return False
    dark = np.count_nonzero(picture.grey.take(BORDER) <= DARK)
    return bool(2 * dark >= len(BORDER))
