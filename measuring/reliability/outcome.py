"""What a campaign has found, for a report to print."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One demand on the server.

    Attributes:
        what: is demanded, in a few words.
        wanted: of it, with its unit.
        found: with its unit.
        reached: whether that is enough.
        is_timed: whether that rests on a time, which a busy machine may spoil; no test fails on it.
    """

    what: str
    wanted: str
    found: str
    reached: bool
    is_timed: bool = False


@dataclass(frozen=True)
class Count:
    """How many answers of one kind came.

    Attributes:
        status: of HTTP; 0 where the connection was closed without an answer.
        type: of the error in its body, or "".
        answers: of this kind.
    """

    status: int
    type: str
    answers: int


@dataclass(frozen=True)
class Outcome:
    """What a campaign has found.

    Attributes:
        rows: the demands.
        counts: the answers by kind, most of them first.
        notes: lines of what else there is to say.
    """

    rows: Sequence[Row]
    counts: Sequence[Count]
    notes: Sequence[str] = ()

    @property
    def reached(self) -> bool:
        """Tell whether all demands are met."""
        return all(row.reached for row in self.rows)
