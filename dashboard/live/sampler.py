"""A thread that reads the metrics page and the management API, and keeps the last minutes."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

import requests

from dashboard.live.events import NO_METRICS_PAGE, SERVER_DOWN, SERVER_UP, Event, EventLog, Versions
from dashboard.shared.loaded_versions import TIMEOUT_S
from inkserve.client.address import MANAGEMENT_VARIABLE, is_loopback
from inkserve.management import Management, ManagementError
from inkserve.metrics import Page, PageError, Series, Totals, Values, read_page

METRICS_URL = "http://127.0.0.1:8082/metrics"
PERIOD_S = 1.0
VERSIONS_PERIODS = 5  # the management API is read with every fifth sample, because it needs a request for each model
KEPT_S = 15 * 60
KEPT_EVENTS = 200
NAMES = (  # metrics that the figures need; the rest of the page is not parsed
    "torchserve_up",
    "handwriting_requests_total",
    "handwriting_handler_seconds",
    "handwriting_batch_requests",
    "inkserve_request_seconds",
    "inkserve_queue_seconds",
)
IN_FLIGHT, WAITING = "inkserve_requests_in_flight", "torchserve_queue_requests"
MEMORY = "torchserve_worker_memory_bytes"
GAUGES = (IN_FLIGHT, WAITING, MEMORY)
UP = Series("torchserve_up")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """What one look found.

    Attributes:
        time_s: s since the epoch.
        is_up: whether the page had metrics of a running TorchServe.
        totals: counters since the first sample, which continue across restarts; subtract those of two samples.
        gauges: requests in flight and waiting, and memory, at that time.
    """

    time_s: float
    is_up: bool
    totals: Values
    gauges: Values = field(default_factory=dict)


def split(values: Values) -> tuple[Values, Values]:
    """Return the counters and the gauges of a page."""
    gauges = {series: value for series, value in values.items() if series.name in GAUGES}
    return {series: value for series, value in values.items() if series not in gauges}, gauges


class Sampler:
    """Samples in a daemon thread, whether the server is up or not.

    `tick` is one look; `start` lets a thread look each PERIOD_S.
    """

    def __init__(self, environment: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        """Remember the addresses; nothing is read.

        Args:
            environment: INKSERVE_METRICS_URL and INKSERVE_MANAGEMENT_URL; by default the addresses of `make up`.
            clock: returns s since the epoch.
        """
        self.metrics_url = environment.get("INKSERVE_METRICS_URL") or METRICS_URL
        self._management = Management(environment.get(MANAGEMENT_VARIABLE), timeout_s=TIMEOUT_S)
        self._clock = clock
        self._lock = threading.Lock()  # of the three below, which pages read
        self._samples: deque[Sample] = deque(maxlen=round(KEPT_S / PERIOD_S) + 1)
        self._log = EventLog(SERVER_UP, KEPT_EVENTS)
        self._versions: Versions | None = None
        self._totals = Totals()
        self._ticks = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._http = requests.Session()
        self._http.trust_env = not is_loopback(self.metrics_url)  # no proxy leads to this machine

    def start(self) -> Self:
        """Start the thread, if it has not been started."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="live-sampler", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """End the thread, and close its connections."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._http.close()
        self._management.close()

    def samples(self) -> list[Sample]:
        """Return the samples of the last KEPT_S, the oldest first."""
        with self._lock:
            return list(self._samples)

    def events(self) -> list[Event]:
        """Return what changed, the oldest first."""
        with self._lock:
            return list(self._log.events)

    def versions(self) -> Versions | None:
        """Return the versions of the last look, None if the management API did not answer."""
        with self._lock:
            return self._versions

    def known_versions(self) -> Versions:
        """Return the versions of the last answer of the management API."""
        with self._lock:
            return self._log.versions or ()

    def tick(self) -> None:
        """Look once."""
        page = self._read_page()
        is_up = bool(page and page.values.get(UP))
        time_s = page.time_s if page else self._clock()
        with self._lock:
            self._log.note_state(time_s, SERVER_UP if is_up else SERVER_DOWN if page else NO_METRICS_PAGE)
            if page:
                counters, gauges = split(page.values)
                self._samples.append(Sample(time_s, is_up, self._totals.add(counters), gauges))
            else:
                self._samples.append(Sample(time_s, is_up, self._samples[-1].totals if self._samples else {}))
        if self._ticks % VERSIONS_PERIODS == 0 or not is_up or self._versions is None:
            self._read_versions()
        self._ticks += 1

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            try:
                self.tick()
            except Exception:  # the next look may succeed
                log.exception("a look at the server failed")
            due = max(due + PERIOD_S, time.monotonic())  # missed looks are skipped
            self._ended.wait(due - time.monotonic())

    def _read_page(self) -> Page | None:
        try:
            answer = self._http.get(self.metrics_url, timeout=TIMEOUT_S)
            answer.raise_for_status()
            page = read_page(answer.text, self._clock(), (*NAMES, *GAUGES))
        except (requests.RequestException, PageError):
            return None
        return page if UP in page.values else None  # else it is the page of another program

    def _read_versions(self) -> None:
        try:
            found: Versions | None = self._management.versions()
        except ManagementError:
            found = None
        with self._lock:
            self._versions = found
            self._log.note_versions(self._clock(), found)
