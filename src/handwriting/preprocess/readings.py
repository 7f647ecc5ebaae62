"""The readings of a character's ink: as it is, and other shapes where something else may be meant."""

from collections.abc import Mapping

import cv2
import numpy as np

from handwriting.preprocess.frame import INK_THRESHOLD, SPECK_PX, Form, crop, glyph_frame, to_frame
from handwriting.preprocess.ink import BESIDE, Ink
from handwriting.preprocess.notes import UNSURE
from handwriting.preprocess.outline import inside_outline

AS_IT_IS, INSIDE, CLEAREST = "as it is", "inside", "clearest"
SURE = 0.8  # of the most ink: strokes that nowhere have so much may be something else
EDGES = np.ones((5, 5), np.uint8)  # what lies so close to sure ink is the edge of its stroke
MARKED = 0.1  # with so much of other marks, an unsure stroke may be one; without, it is rather faint
SHARE = 0.04  # of the ink: to leave out less makes no other character


def frames_of(ink: Ink, form: Form) -> Mapping[str, np.ndarray]:
    """Make a frame of each reading of a character's ink.

    Returns:
        (28, 28) float32 in [0, 1], by reading: AS_IT_IS, and at most one of INSIDE, what its lines enclose, if they may
        be an outline, and CLEAREST, without the strokes of which the ink network is less sure, if there are such.

    Raises:
        InvalidImage: there is no ink, or a speck of it.
    """
    glyph = crop(ink.ink)
    frames = {AS_IT_IS: glyph_frame(glyph, form)}
    if (inside := inside_outline(glyph)) is not None:
        frames[INSIDE] = to_frame(inside, form)
    elif (clearest := clearest_ink(ink)) is not None:
        frames[CLEAREST] = to_frame(clearest, form)
    return frames


def clearest_ink(ink: Ink) -> np.ndarray | None:
    """Return the ink without strokes that the network is less sure of, and takes for other marks in part.

    Such are parts of a line through the character, a box, or a stamp. Where it is unclear which strokes belong to the
    character, all that are less sure go: the network cannot tell a faint stroke from a watermark either.

    Returns:
        (h, w) float32 in [0, 1]; None if there are no such strokes, or hardly anything else.
    """
    if ink.marks is None:
        return None
    inked = ink.ink > INK_THRESHOLD
    kept = cv2.dilate((ink.ink > SURE).view(np.uint8), EDGES) > 0
    if ink.doubt <= UNSURE:
        kept |= cv2.dilate((ink.marks > MARKED).view(np.uint8), BESIDE) == 0
    left = inked & kept
    if np.count_nonzero(left) > (1 - SHARE) * np.count_nonzero(inked):
        return None
    _, _, width, height = cv2.boundingRect(left.view(np.uint8))
    return np.asarray(ink.ink * kept) if max(width, height) >= SPECK_PX else None
