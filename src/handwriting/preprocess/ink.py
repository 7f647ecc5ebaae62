"""Finds the ink of a picture's character on any paper: in the whole picture first, then closer."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from handwriting.errors import InvalidImage
from handwriting.preprocess.frame import INK_THRESHOLD, SPECK_PX, Box, ink_box
from handwriting.preprocess.ink_network import VIEW_PX, Seen, look_at
from handwriting.preprocess.windows import Window, beyond_of, border_of, cut, halved, shown, whole

LOOKS = 4  # at most
WIDE_PX, WIDE_VIEW_PX = 400, 128  # larger pictures are first seen in a larger view: writing on them may be small
LARGE_PX = 0.45 * VIEW_PX  # a character of this size in a view needs no closer look
ROOM = 1.9  # side of a closer window, in sizes of the character
WIDER = 1.5  # factor of a wider one
NO_WRITING = "the picture is blank: there is no writing on it"
SEEN = 0.15  # without a pixel of so much ink, there is none
INKED = 0.35  # a pixel with this share of the most ink is ink
SAME_GREY = 10  # a picture with no larger difference of grey is blank
SPECK_SHARE = 0.08  # of the picture's shorter side: smaller ink is a speck; a dot of the dashboard's pen has 0.06
EVEN = 3  # largest difference of the border's grey from its first pixel on paper of one grey
CLEAN_PX = 160  # longest side at which a clean picture is looked at, and of its ink
CLEAN_MARGIN_PX = 4
CLEAN_INK = 0.15  # of the largest difference from the paper; what differs more is ink
CLEAN_FULL = 0.9  # quantile of the differences of ink: where it is 1
MOST_INK = 0.4  # share of the picture; what fills more is a sheet on black
HALF = 0.5
BESIDE = np.ones((3, 3), np.uint8)
AROUND = np.ones((7, 7), np.uint8)
APART = 0.25  # of the largest piece's size: pieces with wider gaps between them do not belong together
SURE = 0.75  # writing that lies apart is a character of its own if the network sees so much ink somewhere in it
AT_EDGE = 0.25  # what ink counts that reaches the picture's edge: shadows, desks and strokes that are cut off do
PART_SHARE = 0.04  # of the largest piece's ink; smaller pieces are noise; the dot of an i has more


class Ink(NamedTuple):
    """The ink of a picture's character.

    Attributes:
        ink: (h, w) float32 in [0, 1]; 1 is ink.
        left: of its first column, in px of the picture.
        top: of its first row, in px of the picture.
        per_px: px of the picture for one of the ink.
        left_out: what is as dark around it but no character's ink, as a share of that.
        doubt: how unsure the network is of what is as dark at the character, as a share of its ink.
        marks: (h, w) float32 in [0, 1], how much the network took for other marks, if it was asked; otherwise None.
        everywhere: (h, w) float32 of all that a look took for characters, if writing lay apart; otherwise None.
        is_one_piece: whether all of the ink is known to hang together.
    """

    ink: np.ndarray
    left: float
    top: float
    per_px: float
    left_out: float = 0.0
    doubt: float = 0.0
    marks: np.ndarray | None = None
    everywhere: np.ndarray | None = None
    is_one_piece: bool = False

    @property
    def box(self) -> Box:
        """Left, top, right and bottom of the ink in px of the picture."""
        left, top, right, bottom = (edge * self.per_px for edge in ink_box(self.ink))
        return round(self.left + left), round(self.top + top), round(self.left + right), round(self.top + bottom)


def find_ink(grey: np.ndarray) -> Ink:
    """Find the ink of the character in a picture; several characters are found as one.

    Args:
        grey: (H, W) uint8; 0 is black, 255 is white.

    Raises:
        InvalidImage: there is none, or only a speck.
    """
    check_contrast(grey)
    found = find_clean_ink(grey) or find_ink_on_paper(grey)
    check_size(found.box, grey.shape)
    return found


def check_contrast(grey: np.ndarray) -> None:
    """Check that (H, W) uint8 grey values differ.

    Raises:
        InvalidImage: they do not.
    """
    darkest, lightest, _, _ = cv2.minMaxLoc(grey)
    if lightest - darkest <= SAME_GREY:
        raise InvalidImage("the picture is blank: it is the same grey everywhere")


def find_clean_ink(grey: np.ndarray) -> Ink | None:
    """Find the ink in a picture that needs no network: one piece on paper of one grey, as a drawing on a screen is.

    Returns:
        None for any other picture.
    """
    border = border_of(grey)
    paper = int(border[0])
    if int(border.max()) > paper + EVEN or int(border.min()) < paper - EVEN:
        return None
    sizes = [grey]
    while max(sizes[-1].shape) > CLEAN_PX:
        sizes.append(halved(sizes[-1]))
    difference = cv2.absdiff(sizes[-1], np.full_like(sizes[-1], paper))
    most = int(difference.max())
    inked = cv2.threshold(difference, CLEAN_INK * most, 1, cv2.THRESH_BINARY)[1]
    pieces, _ = cv2.connectedComponents(inked)
    if pieces != 2 or most <= SAME_GREY or cv2.mean(inked)[0] > MOST_INK:  # noqa: PLR2004 - the paper and one piece
        return None
    left, top, width, height = cv2.boundingRect(inked)
    level = len(sizes) - 1
    while level and 2 * max(width, height) <= CLEAN_PX:  # large enough in a finer size
        left, top, width, height, level = 2 * left, 2 * top, 2 * width, 2 * height, level - 1
    left, top = max(0, left - CLEAN_MARGIN_PX), max(0, top - CLEAN_MARGIN_PX)
    part = sizes[level][top : top + height + 2 * CLEAN_MARGIN_PX, left : left + width + 2 * CLEAN_MARGIN_PX]
    difference = cv2.absdiff(part, np.full_like(part, paper))
    full = quantile(difference[difference > CLEAN_INK * most], CLEAN_FULL)
    per_px = 2**level
    inked = np.minimum(difference / np.float32(full), 1)
    return Ink(inked, left * per_px, top * per_px, per_px, is_one_piece=True)


def find_ink_on_paper(grey: np.ndarray) -> Ink:
    """Find the ink of the character in any picture with the ink network: in the whole picture first, then closer.

    Raises:
        InvalidImage: there is none.
    """
    outside = quantile(border_of(grey), 0.5)
    window, found, is_last, everywhere = whole(grey.shape), None, False, None
    for look in range(LOOKS):
        view_px = WIDE_VIEW_PX if look == 0 and window.side > WIDE_PX else VIEW_PX
        view = cut(grey, window, outside, view_px) / np.float32(255)
        inside = shown(window, grey.shape, view_px)
        seen = look_at(view, beyond_of(inside, view_px))
        written = writing(seen, inside)
        if written is None:
            break  # what an earlier, coarser look has found stays
        ink, (left, top, width, height), others = written
        everywhere = others if everywhere is None else everywhere  # the first such look sees most
        found = (ink, window, seen)
        _, _, *size = cv2.boundingRect((ink > INKED).view(np.uint8))
        is_large = view_px == VIEW_PX and max(size) >= LARGE_PX
        is_cut = look > 0 and border_of(seen.ink + seen.marks).max() > INKED
        if is_last or (is_large and not is_cut):
            break
        if is_cut:  # the earlier look had missed a stroke
            window, is_last = wider(window), True
        else:
            window = closer(window, (left + width / 2, top + height / 2), max(width, height), view_px)
    if found is None:
        raise InvalidImage(NO_WRITING)
    ink, window, seen = found
    return Ink(ink, window.left, window.top, window.side / len(ink), *others_of(seen, ink), seen.marks, everywhere)


def others_of(seen: Seen, ink: np.ndarray) -> tuple[float, float]:
    """Return how much is as dark as a character but none of its ink, and how much may or may not be: shares of its ink.

    Args:
        seen: by the network.
        ink: (H, W) float32 in [0, 1], of the character.
    """
    inked = (ink > INKED).view(np.uint8)
    amount = cv2.countNonZero(inked)
    dark = seen.darkness > HALF * cv2.mean(seen.darkness, inked)[0]
    clear = cv2.dilate((ink >= INK_THRESHOLD).view(np.uint8), BESIDE) == 0
    undecided = seen.ink[dark & (cv2.dilate(inked, AROUND) > 0)]
    doubt = float(np.minimum(undecided, 1 - undecided).sum()) / amount
    return np.count_nonzero(dark & clear) / amount, doubt


def writing(seen: Seen, inside: tuple[slice, slice]) -> tuple[np.ndarray, Sequence[int], np.ndarray | None] | None:
    """Return the ink of the strokes that lie together and are the most; None without ink.

    Other writing, print and shadows lie further away, and noise is small beside the largest stroke.

    Args:
        seen: by the network.
        inside: rows and columns that show the picture.

    Returns:
        (H, W) float32 ink in [0, 1], stretched so that the most is 1; left, top, width and height of its strokes, also
        where the network takes a part of them for other marks: a coarse look is often wrong about that; (H, W) float32
        ink of all that it is sure of, if some of it lies apart, otherwise None.
    """
    most = seen.ink.max()
    if most < SEEN:
        return None
    ink = np.asarray(seen.ink / most)
    strokes = (seen.ink + seen.marks > INKED * most).view(np.uint8)
    count, pieces = cv2.connectedComponents(strokes, connectivity=8)
    if count == 2:  # noqa: PLR2004 - the paper and one piece
        return ink, cv2.boundingRect(strokes), None
    masses = mass_of(pieces, count, ink)
    kept = masses > PART_SHARE * masses.max()
    everywhere = None
    if np.count_nonzero(kept) > 1:
        _, _, width, height = cv2.boundingRect((pieces == masses.argmax()).view(np.uint8))
        reach = round(APART / 2 * max(width, height))
        near = cv2.dilate(kept[pieces].view(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
        groups, group_of = cv2.connectedComponents(near, connectivity=8)
        if groups > 2:  # noqa: PLR2004 - the paper and one group
            surest = np.zeros(count, np.float32)
            np.maximum.at(surest, pieces.ravel().astype(np.intp), ink.ravel())
            everywhere = np.where((kept & (surest > SURE))[pieces], ink, 0).astype(np.float32)
            # What the network is sure of counts more than much that it doubts
            strokes_of = np.where(kept[pieces], group_of, 0)
            sure = mass_of(strokes_of, groups, ink * ink)
            sure[border_of(strokes_of[inside])] *= AT_EDGE
            kept &= np.bincount(pieces[group_of == sure.argmax()], minlength=count) > 0
    chosen = kept[pieces].view(np.uint8)
    if not kept[1:].all():
        ink = np.where(with_edges(pieces, kept), ink, 0).astype(np.float32)
        ink /= ink.max()
    return ink, cv2.boundingRect(chosen), everywhere


def mass_of(parts: np.ndarray, count: int, ink: np.ndarray) -> np.ndarray:
    """Return the ink of each part, 0 of the paper: (count,) float64.

    Args:
        parts: (H, W) int32 numbers, 0 is paper.
        count: of parts, with the paper.
        ink: (H, W) float32.
    """
    masses = np.bincount(parts.ravel(), weights=ink.ravel(), minlength=count)
    masses[0] = 0
    return masses


def with_edges(pieces: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the pixels of some pieces and of their soft edges, which no piece has: (H, W) bool.

    Args:
        pieces: (H, W) int32 numbers of connected pieces, 0 is none.
        chosen: (n,) bool, by number.
    """
    marked = chosen[pieces]
    return np.asarray((cv2.dilate(marked.astype(np.uint8), BESIDE) > 0) & (marked | (pieces == 0)))


def quantile(values: np.ndarray, share: float) -> float:
    """Return the value below which a share of some values lies; np.quantile takes ten times as long."""
    position = int(share * (values.size - 1))
    return float(np.partition(values, position)[position])


def closer(window: Window, middle: tuple[float, float], size: int, view_px: int) -> Window:
    """Return a window around what a view of another shows, with room for what was not seen yet.

    Args:
        window: of the view.
        middle: x and y of what it shows, in px of the view.
        size: of it, in px of the view.
        view_px: side of the view.
    """
    per_px = window.side / view_px
    side = max(SPECK_PX, round(ROOM * size * per_px))
    left, top = (
        round(start + at * per_px - side / 2) for start, at in zip((window.left, window.top), middle, strict=True)
    )
    return Window(left, top, side)


def wider(window: Window) -> Window:
    """Return a wider window with the same middle."""
    side = round(WIDER * window.side)
    return Window(window.left - (side - window.side) // 2, window.top - (side - window.side) // 2, side)


def check_size(box: Box, shape: tuple[int, ...]) -> None:
    """Check that a box in px of a picture of this height and width is larger than a speck.

    Raises:
        InvalidImage: it is a speck.
    """
    left, top, right, bottom = box
    if max(right - left, bottom - top) < max(SPECK_PX, SPECK_SHARE * min(shape)):
        raise InvalidImage(
            f"the only ink is a speck of {right - left} x {bottom - top} px in a picture of "
            f"{shape[1]} x {shape[0]} px; write larger or crop closer"
        )
