"""Corrects characters by their context: digits or letters by their word, upper or lower case by their line."""

from collections.abc import Sequence

import numpy as np

from handwriting.labels import DIGITS
from handwriting.pages.layout import Group

DIGIT_SHARE = 0.5  # share of digits that the recogniser's probabilities imply, from its training data
STRAY = 0.03  # share of characters of the other kind in a word of digits or of letters
PRIOR = np.array([1.0, 1.0, 1.0])  # pseudocounts of words of digits, of letters and of both
ROUNDS = 5  # of the EM algorithm
LOOK_ALIKES = set("CMOSUVWXZ")  # upper and lower case differ in height only
DOTTED = set("IJ")
TALL = set("0123456789ABDEFGHKLNQRTbdfhkl")
SMALL = set("aenr")
SMALL_SHARE = 0.8  # of a capital's height; lower look-alikes are lower case
TALL_SHARE = 1.28  # of a small letter's height; lower look-alikes are lower case


def weigh_by_word_kind(words: Sequence[np.ndarray], labels: Sequence[str]) -> list[np.ndarray]:
    """Weigh the probabilities of a page's characters by the kind of their word: digits, letters, or both.

    Bayes' rule, with independent characters given the kind: the share of digits that the recogniser's probabilities
    imply is replaced by that of the kind. The page's words give the frequency of each kind, by the EM algorithm.

    Args:
        words: (characters, labels) float32 probabilities of each.
        labels: of the columns.

    Returns:
        arrays of the same shapes.

    Source: Dempster, Laird and Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm".
    """
    digit = np.isin(labels, DIGITS)
    shares = np.array([1 - STRAY, STRAY, DIGIT_SHARE])  # of digits, by kind
    weights = np.where(digit, shares[:, None] / DIGIT_SHARE, (1 - shares[:, None]) / (1 - DIGIT_SHARE))
    evidence = np.stack([np.log(word @ weights.T).sum(axis=0) for word in words])  # (words, kinds)
    likelihood = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    common = PRIOR / PRIOR.sum()
    for _ in range(ROUNDS):
        kinds = likelihood * common
        kinds /= kinds.sum(axis=1, keepdims=True)
        common = PRIOR + kinds.sum(axis=0)
        common /= common.sum()
    return [weigh(word, weights, kind) for word, kind in zip(words, kinds, strict=True)]


def weigh(probabilities: np.ndarray, weights: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Average a word's (characters, labels) probabilities under each kind, by the probabilities of the kinds."""
    by_kind = probabilities[None] * weights[:, None]  # (kinds, characters, labels)
    by_kind /= by_kind.sum(axis=2, keepdims=True)
    mixed: np.ndarray = np.einsum("k,kcl->cl", kinds, by_kind)
    return mixed.astype(np.float32)


def choose_cases(lines: Sequence[Sequence[tuple[Group, str]]]) -> list[str]:
    """Return the labels of a page's characters in reading order, in lower case if their height or dot suggests it.

    The height is compared with characters of known height in the same line, or without any, on the same page.
    """
    page = [character for line in lines for character in line]
    return [with_case(group, label, line, page) for line in lines for group, label in line]


def with_case(group: Group, label: str, line: Sequence[tuple[Group, str]], page: Sequence[tuple[Group, str]]) -> str:
    """Return a label in upper or lower case."""
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
    """Return the median height in px of the characters in `known`, 0 without any."""
    heights = [group.box.height for group, label in characters if label in known]
    return float(np.median(heights)) if heights else 0.0
