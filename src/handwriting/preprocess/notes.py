"""What a recogniser of one character should say about a picture besides the label."""

import cv2
import numpy as np

from handwriting.preprocess.frame import INK_THRESHOLD
from handwriting.preprocess.ink import Ink

TALL = 0.5  # of the tallest piece's height: lower pieces are dots, bars and noise
OVERLAP = 0.3  # of the narrower piece's width: two pieces that overlap by more are one character
MUCH = 0.5  # of the ink: so much print and other marks are worth a note
UNSURE = 0.3  # of doubt; of characters on plain paper, 1 in 200 has more

SEVERAL = "{count} characters side by side; `reader` reads them all"
LEFT_OUT = "print or marks around the character were left out"
UNCLEAR = "it is unclear which strokes belong to the character"


def notes_on(ink: Ink) -> tuple[str, ...]:
    """Return notes for people: that a picture shows several characters, much was left out, or its ink is unclear."""
    notes = []
    count = 1 if ink.is_one_piece else count_characters(ink.ink if ink.everywhere is None else ink.everywhere)
    if count > 1:
        notes.append(SEVERAL.format(count=count))
    if ink.left_out > MUCH:
        notes.append(LEFT_OUT)
    if ink.doubt > UNSURE:
        notes.append(UNCLEAR)
    return tuple(notes)


def count_characters(ink: np.ndarray) -> int:
    """Count tall pieces of (H, W) ink that stand side by side."""
    count, _, boxes, _ = cv2.connectedComponentsWithStats((ink > INK_THRESHOLD).astype(np.uint8), connectivity=8)
    if count <= 2:  # noqa: PLR2004 - the paper and one piece
        return count - 1
    boxes = boxes[1:]
    heights = boxes[:, cv2.CC_STAT_HEIGHT]
    ends: list[tuple[int, int]] = []  # left and right of each character
    tall = boxes[heights >= TALL * heights.max()]
    for left, _, width, _, _ in tall[tall[:, cv2.CC_STAT_LEFT].argsort()].tolist():
        right = left + width
        if ends and min(right, ends[-1][1]) - left > OVERLAP * min(width, ends[-1][1] - ends[-1][0]):
            ends[-1] = (ends[-1][0], max(right, ends[-1][1]))
        else:
            ends.append((left, right))
    return len(ends)
