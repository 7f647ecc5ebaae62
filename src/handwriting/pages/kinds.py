"""Words are of digits or of letters, more often than of both: what one character is says something of the others."""

from collections.abc import Sequence

import numpy as np

from handwriting.labels import DIGITS

DIGIT_SHARE = 0.5  # of the characters that the recogniser learned from, which its probabilities imply
STRAY = 0.03  # of the characters of a word of one kind are of the other
PRIOR = np.array([1.0, 1.0, 1.0])  # words of digits, of letters, of both that a page counts before any is read
ROUNDS = 5  # of estimating the page's shares of kinds from its words


def favour_kinds(words: Sequence[np.ndarray], labels: Sequence[str]) -> list[np.ndarray]:
    """Weigh the probabilities of a page's characters by the kinds of their words: of digits, of letters, or of both.

    Bayes' rule: given its kind, a word's characters are taken as independent; the share of digits that the recogniser's
    probabilities imply is replaced by the kind's. How common each kind is on the page is estimated from all its words.

    Args:
        words: (characters, labels) float32 probabilities of each.
        labels: of the columns.

    Returns:
        the same shapes.

    Source: Dempster, Laird and Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm", for shares.
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
    """Mix what each kind makes of a word's (characters, labels) probabilities, by the kinds' probabilities."""
    by_kind = probabilities[None] * weights[:, None]  # (kinds, characters, labels)
    by_kind /= by_kind.sum(axis=2, keepdims=True)
    return np.einsum("k,kcl->cl", kinds, by_kind).astype(np.float32)
