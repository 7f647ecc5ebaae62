"""A test load: example pictures at a constant rate or from ramping users, bounded, one load at a time."""

import csv
import io
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
MAX_USERS = IN_FLIGHT = 32
RAMP_SHARE = 0.5  # of the time, in which users come one after the other
TIMEOUT_S = (1.0, 5.0)
LATEST_S = 5.0  # a request that is later than this is not sent, so that a load ends soon after its time
TOO_LATE = f"not sent, because {IN_FLIGHT} requests were waiting for answers"
REASON_CHARACTERS = 120
REPORT = ("second", "answered", "failed", "p50_ms", "p95_ms", "p99_ms")  # columns


@dataclass(frozen=True)
class LoadPlan:
    """A load: requests at a constant rate, or users of whom each sends the next picture when the last is answered.

    Attributes:
        model: name of the recogniser.
        seconds: 1 to MAX_SECONDS.
        rate: requests/s, 1 to MAX_RATE; 0 for users.
        users: in the end, 1 to MAX_USERS; 0 for a rate. They come during RAMP_SHARE of the time.
    """

    model: str
    seconds: int
    rate: int = 0
    users: int = 0

    def __post_init__(self) -> None:
        by = "users" if self.users else "rate"
        for name, most in ((by, MAX_USERS if self.users else MAX_RATE), ("seconds", MAX_SECONDS)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; wanted 1 to {most}")

    @property
    def requests(self) -> int:
        """Total number of requests, 0 if it depends on the answers."""
        return self.rate * self.seconds

    @property
    def name(self) -> str:
        """What is sent, in words."""
        sent = f"{self.rate} requests/s" if self.rate else f"{self.users} users"
        return f"{sent} to {self.model} for {self.seconds} s"


@dataclass(frozen=True)
class Outcome:
    """One request.

    Attributes:
        due_s: when it was due, since the start of the load.
        latency_s: from then to the answer, so that waiting for a connection counts.
        reason: why there is no prediction, or "".
    """

    due_s: float
    latency_s: float
    reason: str = ""


@dataclass
class LoadResult:
    """The results of a load so far.

    Attributes:
        sent: requests.
        outcomes: of the requests that ended.
        is_running: whether more will come.
        was_stopped: whether it ended before its time.
    """

    sent: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    is_running: bool = True
    was_stopped: bool = False

    @property
    def latencies_s(self) -> list[float]:
        """Of the answered requests."""
        return [each.latency_s for each in self.outcomes if not each.reason]

    @property
    def answered(self) -> int:
        """How many requests brought a prediction."""
        return len(self.latencies_s)

    @property
    def errors(self) -> Counter[str]:
        """Requests by the reason why there is no prediction."""
        return Counter(each.reason for each in self.outcomes if each.reason)

    def quantile(self, q: float) -> Quantile:
        """Return a measured quantile, interpolated between the two nearest answers, in s."""
        return _quantile(self.latencies_s, q)

    def report(self) -> str:
        """Return a CSV file: what became of the requests that were due in each second, and of all."""
        rows = {
            str(second): [each for each in self.outcomes if int(each.due_s) == second]
            for second in sorted({int(each.due_s) for each in self.outcomes})
        }
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(REPORT)
        for second, outcomes in (rows | {"all": self.outcomes}).items():
            answered = [each.latency_s for each in outcomes if not each.reason]
            quantiles = [_quantile(answered, q).value for q in (0.5, 0.95, 0.99)]
            times_ms = ["" if each is None else f"{1000 * each:.1f}" for each in quantiles]
            writer.writerow((second, len(answered), len(outcomes) - len(answered), *times_ms))
        return file.getvalue()


def _quantile(latencies_s: Sequence[float], q: float) -> Quantile:
    if not latencies_s:
        return Quantile(None, 0)
    return Quantile(float(np.quantile(latencies_s, q)), len(latencies_s))


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
            return plan, replace(now, outcomes=list(now.outcomes))

    def _run(self, plan: LoadPlan, result: LoadResult) -> None:
        try:
            with (
                Recogniser(plan.model, self._url, timeout_s=TIMEOUT_S, tries=1) as recogniser,
                ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="live-load") as pool,
            ):
                began = time.monotonic()
                if plan.users:
                    for number in range(plan.users):
                        starts = began + RAMP_SHARE * plan.seconds * number / plan.users
                        pool.submit(self._send_as_user, recogniser, starts, began, began + plan.seconds, result)
                for number in range(plan.requests):
                    due = began + number / plan.rate
                    if self._stop.wait(max(0.0, due - time.monotonic())):
                        break
                    picture = self._pictures[number % len(self._pictures)]
                    pool.submit(self._send, recogniser, picture, due, began, result)
        finally:
            with self._lock:
                result.is_running = False
                result.was_stopped = self._stop.is_set()

    def _send_as_user(
        self, recogniser: Recogniser, starts: float, began: float, ends: float, result: LoadResult
    ) -> None:
        self._stop.wait(max(0.0, starts - time.monotonic()))
        number = 0
        while not self._stop.is_set() and (now := time.monotonic()) < ends:
            self._send(recogniser, self._pictures[number % len(self._pictures)], now, began, result)
            number += 1

    def _send(self, recogniser: Recogniser, picture: bytes, due: float, began: float, result: LoadResult) -> None:
        if self._stop.is_set():
            return
        if (late_s := time.monotonic() - due) > LATEST_S:
            outcome = Outcome(due - began, late_s, TOO_LATE)
        else:
            with self._lock:
                result.sent += 1
            reason = _ask(recogniser, picture)
            outcome = Outcome(due - began, time.monotonic() - due, reason)
        with self._lock:
            result.outcomes.append(outcome)


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
