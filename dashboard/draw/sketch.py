"""A drawing on the canvas, with the states that undo and redo go through, also after a change of page."""

from collections.abc import Callable, Mapping, Sequence
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
    put back, the canvas loads it, and then reports it as it would report new strokes. It reports a stroke up to 200 ms
    after its end, so that undo may be pressed before; the undo counts for that stroke then.
    """

    states: list[State] = field(default_factory=lambda: [State()])
    at: int = 0
    edition: int = 0  # counts what was put back, so that the canvas loads the same strokes again
    loading: bool = False  # whether the canvas has not reported yet what was put back
    acts: list[Callable[["Sketch"], None]] = field(default_factory=list)  # since it began to load
    before: tuple[list[State], int] = ([], 0)  # states and place when the first of the acts was done

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
            self._loaded()
            self.states[self.at] = State(now.strokes, picture or now.picture)
        elif self.loading and any(strokes == each.strokes for each in self.states):
            pass  # from before the canvas loaded what was put back
        elif self.acts and is_longer(strokes, self._then.strokes):
            acts, (self.states, self.at) = self.acts, self.before
            self._add(strokes, picture)
            for act in acts:
                act(self)
        else:
            self._add(strokes, picture)

    @property
    def _then(self) -> State:
        """The state that was shown before the acts."""
        states, at = self.before
        return states[at]

    def _add(self, strokes: Strokes, picture: bytes | None) -> None:
        self._loaded()
        now = self.now
        strokes, drawn = shared(strokes, now.strokes), len(now.strokes)
        added = range(drawn + 1, len(strokes)) if is_longer(strokes, now.strokes) else ()
        quick = [State(strokes[:count]) for count in added]  # strokes that followed each other within one report
        self.states = [*self.states[: self.at + 1], *quick, State(strokes, picture)][-MOST_STATES:]
        self.at = len(self.states) - 1

    def _loaded(self) -> None:
        self.loading, self.acts = False, []

    def undo(self) -> None:
        """Put the earlier state back."""
        self._act(Sketch.undo, self.states, self.at - 1)

    def redo(self) -> None:
        """Put the later state back."""
        self._act(Sketch.redo, self.states, self.at + 1)

    def clear(self) -> None:
        """Take all strokes away; undo brings them back."""
        cleared = [*self.states[: self.at + 1], State()] if self.now.strokes else self.states
        self._act(Sketch.clear, cleared, self.at + 1 if self.now.strokes else self.at)

    def _act(self, act: Callable[["Sketch"], None], states: list[State], at: int) -> None:
        shows_another = at != self.at and 0 <= at < len(states)
        if shows_another and not self.acts:
            self.before = (self.states, self.at)
        if shows_another or self.acts:
            self.acts.append(act)
        if shows_another:
            self.states, self.at = states, at
            self.edition += 1
            self.shown_anew()


def is_longer(strokes: Strokes, earlier: Strokes) -> bool:
    """Return whether strokes are those of an earlier state and more."""
    return len(strokes) > len(earlier) and strokes[: len(earlier)] == earlier


def shared(strokes: Strokes, earlier: Strokes) -> Strokes:
    """Return strokes with those objects of an earlier state that are the same, so that states share their memory."""
    same = [old if old == new else new for new, old in zip(strokes, earlier, strict=False)]
    return [*same, *strokes[len(same) :]]
