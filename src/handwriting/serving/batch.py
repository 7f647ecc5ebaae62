"""Requests of a batch on their way through the handler: their pictures as frames, and whose probabilities are whose."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handwriting.errors import RequestError
from handwriting.parsing import Query


@dataclass(frozen=True)
class Prepared:
    """A picture as the network takes it.

    Attributes:
        frames: (n, 28, 28) float32 in [0, 1]; 1 is ink.
        layout: where they were in the picture, for recognisers that find more than one.
    """

    frames: np.ndarray
    layout: Any = None


@dataclass(frozen=True)
class Request:
    """A request whose pictures are prepared.

    Attributes:
        query: what was asked.
        pages: one for each picture, or what is wrong with it.
        explained: whether an explanation is wanted.
    """

    query: Query
    pages: Sequence[Prepared | RequestError]
    explained: bool

    def good(self) -> Iterator[Prepared]:
        """Return the pictures that could be prepared."""
        return (page for page in self.pages if isinstance(page, Prepared))


class Pages:
    """The rows that the network scored for a batch, handed out page by page."""

    def __init__(self, probabilities: np.ndarray) -> None:
        self.probabilities = probabilities
        self.taken = 0

    def take(self, page: Prepared) -> np.ndarray:
        """Return the next page's (frames, labels) float32 rows."""
        first, self.taken = self.taken, self.taken + len(page.frames)
        return self.probabilities[first : self.taken]
