"""The case of letters that the recogniser does not tell apart: by their height in the line, or their dot."""

from collections.abc import Sequence

import numpy as np

from handwriting.pages.layout import Group

LOOK_ALIKES = set("CMOSUVWXZ")  # alike in both cases but for their height
DOTTED = set("IJ")
TALL = set("0123456789ABDEFGHKLNQRTbdfhkl")
SMALL = set("aenr")
SMALL_SHARE = 0.8  # of a capital's height: look-alikes below it are small
TALL_SHARE = 1.28  # of a small letter's height: look-alikes below it are small


def choose_cases(lines: Sequence[Sequence[tuple[Group, str]]]) -> list[str]:
    """Return the labels of a page's characters in reading order, in lower case where their height or dot says so.

    A line's own characters of known height decide; a line without any is measured by the page's.
    """
    page = [character for line in lines for character in line]
    return [with_case(group, label, line, page) for line in lines for group, label in line]


def with_case(group: Group, label: str, line: Sequence[tuple[Group, str]], page: Sequence[tuple[Group, str]]) -> str:
    """Return a label in the case that its place says."""
    if label in DOTTED and group.dotted:
        return label.lower()
    if label not in LOOK_ALIKES:
        return label
    for characters in (line, page):
        tall, small = height_of(characters, TALL), height_of(characters, SMALL)
        if tall:
            return label.lower() if group.box.height < SMALL_SHARE * tall else label
        if small:
            return label.lower() if group.box.height < TALL_SHARE * small else label
    return label


def height_of(characters: Sequence[tuple[Group, str]], known: set[str]) -> float:
    """Median height in px of the characters whose height is known, 0 without any."""
    heights = [group.box.height for group, label in characters if label in known]
    return float(np.median(heights)) if heights else 0.0
