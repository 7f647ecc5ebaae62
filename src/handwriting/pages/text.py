"""Makes text from the network's probabilities: the most likely groups of each line, then words and context."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from handwriting.pages.context import choose_cases, weigh_by_word_kind
from handwriting.pages.layout import Group, Layout

CUT = 1.5  # nats that a cut has to gain, as few pieces are several characters
SKIPPED = 2.0  # nats that leaving an atom out costs: it is dirt, if no label is more probable than this
JOINED = 0.6  # nats that joining two pieces has to gain
WORD_GAP = 0.35  # of the size: a gap wider than the page's median gap by this is between words


@dataclass(frozen=True)
class Character:
    """A character of the text.

    Attributes:
        group: its place.
        label: of the recogniser, or the same in lower case.
        probabilities: (labels,) float32, weighed by its word.
    """

    group: Group
    label: str
    probabilities: np.ndarray


@dataclass(frozen=True)
class Line:
    """Words of characters."""

    words: Sequence[Sequence[Character]]

    @property
    def text(self) -> str:
        """The words with single spaces between them."""
        return " ".join("".join(character.label for character in word) for word in self.words)


def read_layout(layout: Layout, probabilities: np.ndarray, labels: Sequence[str]) -> list[Line]:
    """Read a page; lines of dirt are left out.

    Args:
        layout: of the page.
        probabilities: (groups, labels) float32.
        labels: of the recogniser.
    """
    chosen, first = [], 0
    for groups in layout.lines:
        rows = probabilities[first : first + len(groups)]
        first += len(groups)
        if kept := most_likely(groups, rows):
            chosen.append([(groups[i], rows[i]) for i in kept])
    if not chosen:
        return []
    gap = word_gap(chosen, layout.size)
    lines = [split_words(line, gap) for line in chosen]
    words = [word for line in lines for word in line]
    weighed = iter(weigh_by_word_kind([np.stack([row for _, row in word]) for word in words], labels))
    read = [
        [
            [Character(group, labels[row.argmax()], row) for (group, _), row in zip(word, next(weighed), strict=True)]
            for word in line
        ]
        for line in lines
    ]
    cases = iter(choose_cases([[(c.group, c.label) for word in line for c in word] for line in read]))
    return [Line([[replace(c, label=next(cases)) for c in word] for word in line]) for line in read]


def most_likely(groups: Sequence[Group], probabilities: np.ndarray) -> list[int]:
    """Choose the most probable groups that together hold each atom of a line once, or leave it out as dirt.

    Each atom counts the logarithm of its group's largest probability, so fewer characters are not an advantage.

    Returns:
        indices of the groups, from left to right; none for a line of dirt.
    """
    end = max(group.end for group in groups)
    best: list[tuple[float, int]] = [(0.0, -1)] + [(-np.inf, -1)] * end
    scores = np.log(np.maximum(probabilities.max(axis=1), np.finfo(np.float32).tiny))
    for position in range(1, end + 1):
        arriving = [(best[position - 1][0] - SKIPPED, -1)]
        for i, group in enumerate(groups):
            if group.end == position:
                arriving.append((best[group.first][0] + (group.end - group.first) * float(scores[i]) - cost(group), i))
        best[position] = max(arriving)
    path, position = [], end
    while position > 0:
        i = best[position][1]
        if i >= 0:
            path.append(i)
        position = groups[i].first if i >= 0 else position - 1
    return path[::-1]


def cost(group: Group) -> float:
    """Return by how many nats a group has to be more probable than its pieces as they are."""
    return CUT * group.cuts / 2 + JOINED * (group.pieces - 1)


def word_gap(lines: Sequence[Sequence[tuple[Group, np.ndarray]]], size: float) -> float:
    """Return the width in px above which a gap is between words."""
    gaps = [after.box.left - before.box.right for line in lines for (before, _), (after, _) in pairwise(line)]
    return max(0.0, float(np.median(gaps)) if gaps else 0.0) + WORD_GAP * size


def split_words(line: Sequence[tuple[Group, np.ndarray]], gap: float) -> list[list[tuple[Group, np.ndarray]]]:
    """Divide a line into words at wide gaps."""
    words = [[line[0]]]
    for before, after in pairwise(line):
        if after[0].box.left - before[0].box.right > gap:
            words.append([])
        words[-1].append(after)
    return words
