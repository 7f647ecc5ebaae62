"""Requests of a batch on their way through the handler: their pictures as frames, and which scores belong to which."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from handwriting.errors import RequestError
from handwriting.parsing import ParsedRequest


class PreparedPicture(NamedTuple):
    """The frames of one picture, as the network takes them.

    Attributes:
        frames: (n, 28, 28) float32 in [0, 1]; 1 is ink.
        layout: where the frames lie in the picture, for recognisers that read pages.
        readings: of which reading of a character's ink each frame is.
        doubt: how unsure it is which ink is the character's, as a share of it.
        notes: for people, about what else the picture shows.
    """

    frames: np.ndarray
    layout: Any = None
    readings: tuple[str, ...] = ()
    doubt: float = 0.0
    notes: tuple[str, ...] = ()


class PreparedRequest(NamedTuple):
    """A request whose pictures are ready for the network.

    Attributes:
        parsed: the request as it came.
        pictures: one entry for each picture; an error where a picture is invalid.
        is_explained: whether the client wants an explanation.
        names: what the answer for each picture of a list begins with: the name of its file, the number of its page.
    """

    parsed: ParsedRequest
    pictures: Sequence[PreparedPicture | RequestError]
    is_explained: bool
    names: Sequence[Mapping[str, object]] = ()

    def valid_pictures(self) -> Iterator[PreparedPicture]:
        """Return the pictures that the network scores."""
        return (picture for picture in self.pictures if isinstance(picture, PreparedPicture))


class BatchScores:
    """The network's rows for a whole batch, taken picture by picture in order."""

    def __init__(self, probabilities: np.ndarray) -> None:
        self.probabilities = probabilities
        self.taken = 0

    def take(self, picture: PreparedPicture) -> np.ndarray:
        """Return the next picture's (frames, labels) float32 rows."""
        first, self.taken = self.taken, self.taken + len(picture.frames)
        return self.probabilities[first : self.taken]
