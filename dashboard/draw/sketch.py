"""A drawing on the canvas, with the states that undo and redo go through, also after a change of page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_STATES = 200  # older ones are forgotten

Strokes = Sequence[Mapping[str, Any]]  # objects of the canvas


@dataclass(frozen=True)
class State:
    """The strokes after a change, and their picture as PNG, which the canvas sends with all but restored strokes."""

    strokes: Strokes = field(default_factory=list)
    picture: bytes | None = None


@dataclass
class Sketch:
    """A drawing.

    The canvas reports its strokes in each run of the page, also the ones that were reported before. When a state is
    put back, the canvas loads it, and then reports it as it would report new strokes.
    """

    states: list[State] = field(default_factory=lambda: [State()])
    at: int = 0
    edition: int = 0  # counts what was put back, so that the canvas loads the same strokes again
    loading: bool = False  # whether the canvas has not reported yet what was put back

    @property
    def now(self) -> State:
        """The state that is shown."""
        return self.states[self.at]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return self.at > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a later state."""
        return self.at + 1 < len(self.states)

    @property
    def is_untouched(self) -> bool:
        """Whether nothing has been drawn."""
        return self.states == [State()]

    def put_back(self) -> "Sketch":
        """Return a copy that an empty canvas has to load."""
        return Sketch(list(self.states), self.at, self.edition + 1, loading=True)

    def shown_anew(self) -> None:
        """Take note that a canvas loads the state that is shown; until then it may report that it is empty."""
        self.loading = True

    def report(self, strokes: Strokes, picture: bytes | None) -> None:
        """Take what the canvas reports.

        Args:
            strokes: all that are on the canvas.
            picture: of them.
        """
        now = self.now
        if strokes == now.strokes:
            self.loading = False
            self.states[self.at] = State(now.strokes, picture or now.picture)
        elif self.loading and any(strokes == each.strokes for each in self.states):
            pass  # from before the canvas loaded what was put back
        else:
            self.loading = False
            strokes, drawn = shared(strokes, now.strokes), len(now.strokes)
            added = range(drawn + 1, len(strokes)) if strokes[:drawn] == now.strokes else ()
            quick = [State(strokes[:count]) for count in added]  # strokes that followed each other within one report
            self.states = [*self.states[: self.at + 1], *quick, State(strokes, picture)][-MOST_STATES:]
            self.at = len(self.states) - 1

    def undo(self) -> None:
        """Put the earlier state back."""
        self._go(self.at - 1)

    def redo(self) -> None:
        """Put the later state back."""
        self._go(self.at + 1)

    def clear(self) -> None:
        """Take all strokes away; undo brings them back."""
        if self.now.strokes:
            self.states = [*self.states[: self.at + 1], State()]
            self._go(len(self.states) - 1)

    def _go(self, at: int) -> None:
        if 0 <= at < len(self.states):
            self.at = at
            self.edition += 1
            self.shown_anew()


def shared(strokes: Strokes, earlier: Strokes) -> Strokes:
    """Return strokes with those objects of an earlier state that are the same, so that states share their memory."""
    same = [old if old == new else new for new, old in zip(strokes, earlier, strict=False)]
    return [*same, *strokes[len(same) :]]
