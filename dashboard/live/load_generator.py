"""A test load: example pictures at a constant rate, independent of the answers, bounded, one load at a time."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from dashboard.shared.endpoint import PAGE_MODEL
from inkserve import Recogniser, RecogniserError, Rejected
from inkserve.metrics import Quantile

MAX_RATE = 200  # requests/s; for more there is Locust
MAX_SECONDS = 60
IN_FLIGHT = 32
TIMEOUT_S = (1.0, 5.0)
LATEST_S = 5.0  # a request that is later than this is not sent, so that a load ends soon after its time
TOO_LATE = f"not sent, because {IN_FLIGHT} requests were waiting for answers"
REASON_CHARACTERS = 120


@dataclass(frozen=True)
class LoadPlan:
    """A load.

    Attributes:
        model: name of the recogniser.
        rate: requests/s, 1 to MAX_RATE.
        seconds: 1 to MAX_SECONDS.
    """

    model: str
    rate: int
    seconds: int

    def __post_init__(self) -> None:
        for name, most in (("rate", MAX_RATE), ("seconds", MAX_SECONDS)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; wanted 1 to {most}")

    @property
    def requests(self) -> int:
        """Total number of requests."""
        return self.rate * self.seconds


@dataclass
class LoadResult:
    """The results of a load so far.

    Attributes:
        sent: requests.
        latencies_s: of the answered ones, from the time they were due, so that waiting for a connection counts.
        errors: requests by the reason why there is no prediction.
        is_running: whether more will come.
        was_stopped: whether it ended before its time.
    """

    sent: int = 0
    latencies_s: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    is_running: bool = True
    was_stopped: bool = False

    @property
    def answered(self) -> int:
        """How many requests brought a prediction."""
        return len(self.latencies_s)

    def quantile(self, q: float) -> Quantile:
        """Return a measured quantile, interpolated between the two nearest answers, in s."""
        if not self.latencies_s:
            return Quantile(None, 0)
        return Quantile(float(np.quantile(self.latencies_s, q)), len(self.latencies_s))


class LoadGenerator:
    """Sends one load at a time, in threads of its own."""

    def __init__(self, pictures: Sequence[bytes], url: str | None = None) -> None:
        """Set what to send; nothing is sent.

        Args:
            pictures: encoded; sent in rotation.
            url: of the server; by default the one in INKSERVE_URL.

        Raises:
            ValueError: there is no picture.
        """
        if not pictures:
            raise ValueError("there are no pictures to send; wanted at least one")
        self._pictures = pictures
        self._url = url
        self._lock = threading.Lock()  # of the last load
        self._last: tuple[LoadPlan, LoadResult] | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, plan: LoadPlan) -> bool:
        """Start a load, and return whether it starts: not while one is running, maybe of another session."""
        with self._lock:
            if self._last and self._last[1].is_running:
                return False
            self._last = plan, LoadResult()
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, args=self._last, name="live-load", daemon=True)
            self._thread.start()
            return True

    def stop(self) -> None:
        """Send no more; answers to sent requests are still counted."""
        self._stop.set()

    def join(self) -> None:
        """Wait until a load has ended."""
        if self._thread is not None:
            self._thread.join()

    def last(self) -> tuple[LoadPlan, LoadResult] | None:
        """Return the last load and a copy of its result; None before the first."""
        with self._lock:
            if self._last is None:
                return None
            plan, now = self._last
            return plan, replace(now, latencies_s=list(now.latencies_s), errors=Counter(now.errors))

    def _run(self, plan: LoadPlan, result: LoadResult) -> None:
        try:
            with (
                Recogniser(plan.model, self._url, timeout_s=TIMEOUT_S, tries=1) as recogniser,
                ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="live-load") as pool,
            ):
                began = time.monotonic()
                for number in range(plan.requests):
                    due = began + number / plan.rate
                    if self._stop.wait(max(0.0, due - time.monotonic())):
                        break
                    picture = self._pictures[number % len(self._pictures)]
                    pool.submit(self._send, recogniser, picture, due, result)
        finally:
            with self._lock:
                result.is_running = False
                result.was_stopped = self._stop.is_set()

    def _send(self, recogniser: Recogniser, picture: bytes, due: float, result: LoadResult) -> None:
        if self._stop.is_set():
            return
        if time.monotonic() - due > LATEST_S:
            with self._lock:
                result.errors[TOO_LATE] += 1
            return
        with self._lock:
            result.sent += 1
        reason = _ask(recogniser, picture)
        with self._lock:
            if reason:
                result.errors[reason] += 1
            else:
                result.latencies_s.append(time.monotonic() - due)


def listens(host: str, port: int) -> bool:
    """Whether a port accepts connections."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((host, port)) == 0


def _ask(recogniser: Recogniser, picture: bytes) -> str:
    """Send a picture and return why there was no answer, or ""."""
    try:
        (recogniser.read_page if recogniser.model == PAGE_MODEL else recogniser.predict)(picture)
    except RecogniserError as err:
        return (err.type if isinstance(err, Rejected) else err.message)[:REASON_CHARACTERS]
    return ""
