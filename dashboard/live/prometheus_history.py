"""The history of the server in Prometheus, as samples and events like those of the sampler."""

import math
import threading
import time
from collections import ChainMap, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from dashboard.live.events import NO_METRICS_PAGE, SERVER_DOWN, SERVER_UP, Event, EventLog, Versions
from dashboard.live.sampler import GAUGES, NAMES, UP, Sample, split
from dashboard.live.window_figures import SLICE_S, point_step
from inkserve.client.address import is_loopback
from inkserve.management import ModelVersion, Worker
from inkserve.metrics import Series, Totals, Values, total
from inkserve.metrics.prometheus_page import matching

VARIABLE = "PROMETHEUS_URL"
TIMEOUT_S = (0.5, 5.0)  # connect, read
FRESH_S = 2.0  # sessions share an answer for so long
STEP_S = 5  # between samples, as deploy/prometheus scrapes; in long windows, as between the points of the charts
LEAD_S = 60.0  # before a window, for its first points
PROCESS, WANTED = "torchserve_worker_process_id", "torchserve_workers_wanted"
# Prometheus itself makes `up`, also if the page is missing
QUERY = f'{{__name__=~"up|{"|".join(f"{name}.*" for name in (*NAMES, *GAUGES, PROCESS, WANTED))}"}}'


class HistoryError(Exception):
    """Prometheus does not answer the query; the message says why."""


@dataclass(frozen=True)
class Window:
    """The samples and events of a window, the oldest first."""

    samples: list[Sample]
    events: list[Event]


class History:
    """A client of Prometheus; an answer is reused for FRESH_S."""

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        """Set the address; nothing is sent.

        Args:
            url: such as `http://127.0.0.1:9090`.
            clock: returns s since the epoch.
        """
        self.url = url.rstrip("/")
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[float, tuple[float, Window]] = {}
        self._http = requests.Session()
        self._http.trust_env = not is_loopback(self.url)  # no proxy leads to this machine

    def window(self, window_s: float) -> Window:
        """Return the last window_s, and the time before that its charts need.

        Raises:
            HistoryError: Prometheus does not answer the query.
        """
        with self._lock:
            read_at_s, found = self._kept.get(window_s, (-math.inf, None))
            if found is None or not 0 <= self._clock() - read_at_s < FRESH_S:
                found = read_history(self._ask(window_s))
                self._kept[window_s] = self._clock(), found
            return found

    def _ask(self, window_s: float) -> Any:  # noqa: ANN401 - a JSON document
        step_s = step(window_s)
        end_s = self._clock() // step_s * step_s  # so that samples do not move from one refresh to the next
        start_s = end_s - math.ceil((window_s + max(step_s, LEAD_S)) / step_s) * step_s
        asked = {"query": QUERY, "start": start_s, "end": end_s, "step": step_s}
        try:
            answer = self._http.get(f"{self.url}/api/v1/query_range", params=asked, timeout=TIMEOUT_S)
            return answer.json()
        except requests.JSONDecodeError as err:
            raise HistoryError(f"{self.url} answers {answer.status_code} without JSON") from err
        except requests.RequestException as err:
            raise HistoryError(f"{self.url} does not answer") from err


def step(window_s: float) -> int:
    """Return the distance of samples in a window, s."""
    between_points_s = point_step(window_s)
    return STEP_S if between_points_s <= SLICE_S else between_points_s


def read_history(document: Any) -> Window:  # noqa: ANN401 - a JSON document
    """Read the answer to a query_range.

    Raises:
        HistoryError: it is an error, or another document.
    """
    try:
        if document["status"] != "success":
            raise HistoryError(f"Prometheus reports an error: {document['error']}")
        pages = _pages(document["data"]["result"])
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise HistoryError(f"not an answer of Prometheus: {err!r} is missing or wrong") from err
    return _window(pages)


def _pages(result: Sequence[Mapping[str, Any]]) -> dict[float, dict[str, dict[Series, float]]]:
    """Return the values at each time, by scraped server."""
    pages: defaultdict[float, dict[str, dict[Series, float]]] = defaultdict(dict)
    for each in result:
        labels = dict(each["metric"])
        series = Series(labels.pop("__name__"), tuple(sorted(labels.items())))
        instance = labels.get("instance", "")
        for time_s, value in each["values"]:
            pages[float(time_s)].setdefault(instance, {})[series] = float(value)
    return dict(sorted(pages.items()))


def _window(pages: Mapping[float, Mapping[str, Values]]) -> Window:
    totals: defaultdict[str, Totals] = defaultdict(Totals)  # of each server, since its first page
    counted: dict[str, Values] = {}
    samples, log = [], EventLog()
    for time_s, servers in pages.items():
        scraped = {instance: page for instance, page in servers.items() if any(matching(page, UP.name))}
        gauges: dict[Series, float] = {}
        for instance, page in scraped.items():
            counters, theirs = split(page)
            counted[instance] = totals[instance].add(counters)
            gauges |= theirs
        is_up = any(total(page, UP.name) for page in scraped.values())
        merged = next(iter(counted.values())) if len(counted) == 1 else dict(ChainMap(*counted.values()))
        samples.append(Sample(time_s, is_up, merged, gauges))
        log.note_state(time_s, SERVER_UP if is_up else SERVER_DOWN if scraped else NO_METRICS_PAGE)
        log.note_versions(time_s, tuple(each for page in servers.values() for each in _versions(page)) or None)
    return Window(samples, list(log.events))


def _versions(page: Values) -> Versions:
    """Return the versions and workers of a page, as far as `changes` needs them."""
    workers: defaultdict[tuple[str, str], list[Worker]] = defaultdict(list)
    for labels, value in matching(page, PROCESS):
        workers[labels["model"], labels["version"]].append(Worker(labels["worker"], int(value), True, 0))
    return tuple(
        ModelVersion(
            labels["model"],
            labels["version"],
            is_default=False,
            workers=tuple(workers[labels["model"], labels["version"]]),
            wanted_workers=int(value),
        )
        for labels, value in matching(page, WANTED)
    )
