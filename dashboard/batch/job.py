"""A batch in progress: read by a thread of its own, looked at and cancelled by the page."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread

from inkserve.batch.sources import Entry
from inkserve.client import RecogniserError, ServerDown
from inkserve.client.bulk import BulkRecogniser
from inkserve.client.recogniser import Result


@dataclass(frozen=True)
class Progress:
    """How far a batch is.

    Attributes:
        done: pictures with a result.
        total: pictures to read.
        failed: those of the done ones with an error.
        elapsed_s: since it began, or what it took.
    """

    done: int
    total: int
    failed: int
    elapsed_s: float

    @property
    def share(self) -> float:
        """What is done, in [0, 1]."""
        return self.done / self.total if self.total else 1.0

    @property
    def rate(self) -> float:
        """Pictures/s."""
        return self.done / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def left_s(self) -> float | None:
        """Time left at this rate, None while there is none."""
        return (self.total - self.done) / self.rate if self.rate else None


class Job:
    """Reads the pictures of a batch once it is started.

    Attributes:
        entries: the pictures.
        results: for each picture its result, None as long as there is none.
        recogniser: what reads them.
        began: when it was started, UTC.
        fault: what went wrong with the reading itself, "" unless our own code failed.
    """

    def __init__(
        self, entries: Sequence[Entry], recogniser: BulkRecogniser, earlier: Sequence[Result | None] = ()
    ) -> None:
        """Plan to read pictures; with the results of an earlier job on them, only what is `unread` there."""
        self.entries = entries
        self.results: list[Result | None] = list(earlier) or [None] * len(entries)
        self._places = unread(self.results)
        for place in self._places:
            self.results[place] = None
        self.recogniser = recogniser
        self.began = datetime.now(UTC)
        self.fault = ""
        self._began_s = time.monotonic()
        self._ended_s: float | None = None
        self._done = self._failed = 0
        self._cancelled = Event()
        self._thread = Thread(target=self._run, name="batch", daemon=True)

    def start(self) -> "Job":
        """Begin to read."""
        self._thread.start()
        return self

    def cancel(self) -> None:
        """Read no more; what is read stays."""
        self._cancelled.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended, or for the time given, and return whether it has."""
        self._thread.join(timeout_s)
        return self.ended

    @property
    def ended(self) -> bool:
        """Whether there will be no more results."""
        return self._ended_s is not None

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled before its end."""
        return self._cancelled.is_set() and self._done < len(self._places)

    def progress(self) -> Progress:
        """Return how far it is."""
        elapsed_s = (self._ended_s or time.monotonic()) - self._began_s
        return Progress(self._done, len(self._places), self._failed, elapsed_s)

    def _run(self) -> None:
        try:
            with self.recogniser as recogniser:
                entries = (self.entries[place] for place in self._places)
                for index, _, result in recogniser.read(entries, self._cancelled):
                    self.results[self._places[index]] = result
                    self._failed += isinstance(result, RecogniserError)
                    self._done += 1
        except Exception as err:  # the page says so; a thread's traceback would be seen by nobody
            self.fault = f"{type(err).__name__}: {err}"
            raise
        finally:
            self._ended_s = time.monotonic()


def unread(results: Sequence[Result | None]) -> list[int]:
    """Return the places of the pictures that another try may read: those never sent, or lost with the server."""
    return [place for place, result in enumerate(results) if result is None or isinstance(result, ServerDown)]
