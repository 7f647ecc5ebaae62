"""The answers of a campaign, compared with the expected ones and counted as they come."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from measuring.reliability.expected import Expected, compare, compare_with_api
from measuring.reliability.http_wire import Answer, Request

MAX_KEPT = 200  # unexpected answers
MAX_SHOWN = 20  # kinds of them
SLOWEST = 5


@dataclass
class AnswerCounts:
    """The answers so far; several threads may add to them.

    Attributes:
        kinds: number of answers by status and error type.
        unexpected: names of requests, and what was wrong with their answers.
        timed_out: number of requests without an answer.
        slowest_s: longest time of each request, by name.
        kept: unexpected answers as lines of JSON, with their requests.
    """

    kinds: Counter[tuple[int, str]] = field(default_factory=Counter)
    unexpected: list[tuple[str, str]] = field(default_factory=list)
    timed_out: int = 0
    slowest_s: dict[str, float] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def total(self) -> int:
        """Number of answers."""
        return self.kinds.total()

    def add(self, name: str, request: Request, answer: Answer, expected: Expected | None = None) -> None:
        """Compare an answer with the expected one, or with the API's rules, and count it."""
        error = compare(answer, expected) if expected else compare_with_api(request, answer)
        with self.lock:
            self.kinds[answer.status, answer.type] += 1
            self.timed_out += answer.timed_out
            self.slowest_s[name] = max(self.slowest_s.get(name, 0.0), answer.time_s)
            if not error:
                return
            self.unexpected.append((name, error))
            if len(self.kept) < MAX_KEPT:
                line = {"name": name, "wrong": error, "status": answer.status, "type": answer.type}
                self.kept.append(json.dumps(line | {"request": request.dump()}))

    def write(self, folder: Path) -> Path | None:
        """Write the unexpected answers with their requests; None where there are none."""
        path = folder / "unexpected.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in self.kept))
        return path if self.kept else None

    def notes(self) -> Iterator[str]:
        """Name the slowest requests and the unexpected answers, a line each."""
        for name in sorted(self.slowest_s, key=self.slowest_s.__getitem__, reverse=True)[:SLOWEST]:
            yield f"slow: {name}, {self.slowest_s[name]:.2f} s"
        for (name, error), number in Counter(self.unexpected).most_common(MAX_SHOWN):
            yield f"unexpected: {name}: {error[:200]}, {number:,} times"
