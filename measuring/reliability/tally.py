"""What came back of a campaign, counted as it comes."""

import json
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from measuring.reliability.judge import Wanted, complaint, fault
from measuring.reliability.wire import Answer, Request, dump

MOST_KEPT = 200  # unexpected answers
MOST_SHOWN = 20  # kinds of them
SLOWEST = 5


@dataclass(frozen=True)
class Shot:
    """A request to send, and what is wanted of its answer where somebody knows."""

    name: str
    request: Request
    wanted: Wanted | None = None


@dataclass
class Tally:
    """What has come back so far; one at a time may write to it.

    Attributes:
        kinds: answers by status and type.
        unexpected: names of requests and what was wrong with their answers.
        hung: requests without an answer.
        slowest: names of requests by s.
        kept: unexpected ones as lines of JSON, so that they can be sent again.
    """

    kinds: Counter[tuple[int, str]] = field(default_factory=Counter)
    unexpected: list[tuple[str, str]] = field(default_factory=list)
    hung: int = 0
    slowest: dict[str, float] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, shot: Shot, answer: Answer) -> None:
        """Judge an answer, and count it."""
        wrong = complaint(answer, shot.wanted) if shot.wanted else fault(shot.request, answer)
        with self.lock:
            self.kinds[answer.status, answer.type] += 1
            self.hung += answer.hung
            self.slowest[shot.name] = max(self.slowest.get(shot.name, 0.0), answer.time_s)
            if not wrong:
                return
            self.unexpected.append((shot.name, wrong))
            if len(self.kept) < MOST_KEPT:
                line = {"name": shot.name, "wrong": wrong, "status": answer.status, "type": answer.type}
                self.kept.append(json.dumps(line | {"request": dump(shot.request)}))


def keep(tally: Tally, folder: Path) -> Iterable[str]:
    """Write the unexpected answers down, with their requests."""
    path = folder / "unexpected.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in tally.kept))
    return [f"kept in {path}: python -m measuring.reliability.inputs --again {path}"] if tally.kept else []


def notes(tally: Tally, time_s: float, seed: int, connections: int) -> Iterable[str]:
    """Say what else there is to say, in a line each."""
    total = sum(tally.kinds.values())
    yield f"seed {seed}; {total:,} requests in {time_s:.0f} s over {connections} connections"
    for name in sorted(tally.slowest, key=tally.slowest.__getitem__, reverse=True)[:SLOWEST]:
        yield f"slow: {name}, {tally.slowest[name]:.2f} s"
    for (name, wrong), number in Counter(tally.unexpected).most_common(MOST_SHOWN):
        yield f"unexpected: {name}: {wrong[:200]}, {number:,} times"
