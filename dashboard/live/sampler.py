"""One thread that reads the metrics page and the management API, and remembers the last minutes."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import requests

from dashboard.shared.catalogue import TIMEOUT_S
from dashboard.shared.fleet import Fleet, changes, read_fleet, without_processes
from inkserve.client.address import MANAGEMENT_DEFAULT_URL, MANAGEMENT_VARIABLE, is_loopback
from inkserve.client.tokens import management_token
from inkserve.metrics import Page, PageError, Series, Totals, Values, read_page

METRICS_URL = "http://127.0.0.1:8082/metrics"
PERIOD_S = 1.0
FLEET_PERIODS = 5  # the management API is asked at every fifth sample: an answer for each model costs more
KEPT_S = 15 * 60
KEPT_EVENTS = 200
NAMES = (  # what a figure is made of; the rest of the page is not parsed
    "torchserve_up",
    "handwriting_requests_total",
    "handwriting_handler_seconds",
    "handwriting_batch_requests",
    "ts_queue_latency_microseconds",
    "ts_inference_requests",
    "Requests5XX",
)
UP = Series("torchserve_up")
SERVER_UP, SERVER_DOWN, PAGE_DOWN = "server up", "server down", "no metrics page"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """What one look found.

    Attributes:
        time_s: s since the epoch.
        is_up: whether TorchServe itself was on the page.
        totals: counters since the first sample, that no restart lets fall; subtract those of two samples.
    """

    time_s: float
    is_up: bool
    totals: Values


@dataclass(frozen=True)
class Event:
    """Something that changed, and when it was seen, s since the epoch."""

    time_s: float
    text: str


class Sampler:
    """Samples in a daemon thread, whether the server is up or not.

    `tick` is one look; `start` lets a thread look each PERIOD_S.
    """

    def __init__(self, environment: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        """Remember the addresses; nothing is read.

        Args:
            environment: INKSERVE_METRICS_URL and INKSERVE_MANAGEMENT_URL, by default those of `make up`.
            clock: tells s since the epoch.
        """
        self.metrics_url = environment.get("INKSERVE_METRICS_URL") or METRICS_URL
        self.management_url = (environment.get(MANAGEMENT_VARIABLE) or MANAGEMENT_DEFAULT_URL).rstrip("/")
        self._clock = clock
        self._lock = threading.Lock()  # of what pages read: the four below
        self._samples: deque[Sample] = deque(maxlen=round(KEPT_S / PERIOD_S) + 1)
        self._events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._fleet: Fleet | None = None
        self._known_fleet: Fleet | None = None  # the last one seen, also while nobody answers
        self._state = ""
        self._totals = Totals()
        self._ticks = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._http, self._management = requests.Session(), requests.Session()  # the page of metrics gets no token
        self._management.auth = management_token(self.management_url)
        for session, url in ((self._http, self.metrics_url), (self._management, self.management_url)):
            session.trust_env = not is_loopback(url)  # a proxy of the environment is no way to this machine

    def start(self) -> Self:
        """Begin to sample; a second call changes nothing."""
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
            return list(self._events)

    def fleet(self) -> Fleet | None:
        """Return the versions and workers of the last look, or None if nobody answered it."""
        with self._lock:
            return self._fleet

    def known_fleet(self) -> Fleet:
        """Return the versions that were seen last, also while nobody answers."""
        with self._lock:
            return self._known_fleet or ()

    def tick(self) -> None:
        """Look once."""
        page = self._read_page()
        is_up = bool(page and page.values.get(UP))
        self._note_state(SERVER_UP if is_up else SERVER_DOWN if page else PAGE_DOWN)
        with self._lock:
            totals = self._totals.add(page.values) if page else self._samples[-1].totals if self._samples else {}
            self._samples.append(Sample(page.time_s if page else self._clock(), is_up, totals))
        if self._ticks % FLEET_PERIODS == 0 or not is_up or self._fleet is None:
            self._look_at_fleet()
        self._ticks += 1

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            try:
                self.tick()
            except Exception:  # whatever it is, the next look may succeed, and without a thread there is none
                log.exception("a look at the server failed")
            due = max(due + PERIOD_S, time.monotonic())  # looks that were missed are not made up for
            self._ended.wait(due - time.monotonic())

    def _read_page(self) -> Page | None:
        try:
            answer = self._http.get(self.metrics_url, timeout=TIMEOUT_S)
            answer.raise_for_status()
            page = read_page(answer.text, self._clock(), NAMES)
        except (requests.RequestException, PageError):
            return None
        return page if UP in page.values else None  # else it is another's page

    def _note_state(self, state: str) -> None:
        if state != self._state and (self._state or state != SERVER_UP):  # up from the first look on is no news
            self._note(state)
        self._state = state

    def _look_at_fleet(self) -> None:
        try:
            fleet = read_fleet(self._management, self.management_url)
        except (requests.RequestException, ValueError):
            fleet = None
        known = self._known_fleet
        if fleet is not None and known is not None:
            for text in changes(known, fleet):
                self._note(text)
        with self._lock:
            self._fleet = fleet
            self._known_fleet = without_processes(known) if fleet is None and known is not None else fleet

    def _note(self, text: str) -> None:
        with self._lock:
            self._events.append(Event(self._clock(), text))
