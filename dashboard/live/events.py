"""What changed on the server between two looks: versions, numbers of workers, restarted workers."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dashboard.shared.answer_html import count
from inkserve.management import ModelVersion, Worker

SERVER_UP, SERVER_DOWN, NO_METRICS_PAGE = "server up", "server down", "no metrics page"

Versions = tuple[ModelVersion, ...]


@dataclass(frozen=True)
class Event:
    """A change, and when it was seen, s since the epoch."""

    time_s: float
    text: str


class EventLog:
    """Notes what changes from one look at the server to the next.

    Attributes:
        events: the oldest first.
        versions: the last known ones; None before the first.
    """

    def __init__(self, state: str = "", most: int | None = None) -> None:
        """Begin with the state that is expected, "" for any, and keep at most so many events."""
        self.events: deque[Event] = deque(maxlen=most)
        self.versions: Versions | None = None
        self._state = state

    def note_state(self, time_s: float, state: str) -> None:
        """Note whether the server is up."""
        if self._state not in {"", state}:
            self.events.append(Event(time_s, state))
        self._state = state

    def note_versions(self, time_s: float, found: Versions | None) -> None:
        """Note the versions; None if they are not known now."""
        if found is not None and self.versions is not None:
            self.events.extend(Event(time_s, text) for text in changes(self.versions, found))
        if found is not None or self.versions is None:
            self.versions = found
        else:
            self.versions = without_processes(self.versions)


def changes(before: Versions, after: Versions) -> list[str]:
    """Describe the changes between two looks, in alphabetical order."""
    old, new = ({version.name: version for version in versions} for versions in (before, after))
    found = [f"{name} appeared" for name in new.keys() - old.keys()]
    found += [f"{name} disappeared" for name in old.keys() - new.keys()]
    for name in old.keys() & new.keys():
        counts = len(old[name].workers), len(new[name].workers)
        if counts[0] != counts[1]:
            found.append(f"{name}: {counts[0]} to {count(counts[1], 'worker')}")
        if restarted := _restarted(old[name].workers, new[name].workers):
            found.append(f"{name}: {count(restarted, 'worker')} restarted")
    return sorted(found)


def without_processes(versions: Versions) -> Versions:
    """Return versions without process ids: after a restart of the server all differ, which is one event, not many."""
    return tuple(replace(each, workers=tuple(replace(worker, pid=0) for worker in each.workers)) for each in versions)


def _restarted(before: Sequence[Worker], after: Sequence[Worker]) -> int:
    pids = {worker.id: worker.pid for worker in before}
    return sum(bool(worker.pid and pids.get(worker.id) and pids[worker.id] != worker.pid) for worker in after)
