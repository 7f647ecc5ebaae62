"""The reading of a batch in a thread of its own, which the page can watch and cancel."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread

from inkserve import Recogniser, RecogniserError, ServerDown
from inkserve.batch.sources import Entry
from inkserve.client.answers import Result


@dataclass(frozen=True)
class Progress:
    """How far a batch is.

    Attributes:
        done: pictures with a result.
        total: pictures to read.
        failed: of the done ones, those with an error.
        elapsed_s: since the start, until now or until the end.
    """

    done: int
    total: int
    failed: int
    elapsed_s: float

    @property
    def share(self) -> float:
        """Share of the pictures that are done, in [0, 1]."""
        return self.done / self.total if self.total else 1.0

    @property
    def rate(self) -> float:
        """Pictures/s."""
        return self.done / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def left_s(self) -> float | None:
        """Time left at this rate; None before the first result."""
        return (self.total - self.done) / self.rate if self.rate else None


class Job:
    """Reads the pictures of a batch once it is started.

    Attributes:
        entries: the pictures.
        results: of each picture; None as long as there is none.
        recogniser: client that reads them.
        began: time of the start, UTC.
        fault: unexpected error of our own code, "" for none.
    """

    def __init__(self, entries: Sequence[Entry], recogniser: Recogniser, earlier: Sequence[Result | None] = ()) -> None:
        """Plan to read pictures; with the results of an earlier job, only those that are `unread` there."""
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
        """Stop reading; results are kept."""
        self._cancelled.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end, at most for the time given, and return whether it has ended."""
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
                pictures = (self.entries[place].picture for place in self._places)
                results = recogniser.predict_many(pictures, cancelled=self._cancelled)
                for place, result in zip(self._places, results, strict=False):  # fewer results if it is cancelled
                    self.results[place] = result
                    self._failed += isinstance(result, RecogniserError)
                    self._done += 1
        except Exception as err:  # the page shows it
            self.fault = f"{type(err).__name__}: {err}"
            raise
        finally:
            self._ended_s = time.monotonic()


def unread(results: Sequence[Result | None]) -> list[int]:
    """Return the indexes of pictures that another try may read: those not sent, or unanswered by a server down."""
    return [place for place, result in enumerate(results) if result is None or isinstance(result, ServerDown)]
