"""The figures of a window of samples: throughput, quantiles with their counts, means, errors, workers."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dashboard.live.events import Versions
from dashboard.live.sampler import Sample
from inkserve.metrics import Histogram, Quantile, Values, histogram, increase, mean, sum_by, total

MIN_OBSERVATIONS = 100  # of a quantile
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
SLICE_S = 15.0  # each point of a chart covers the seconds before it; more in long windows
SHORTEST_SLICE_S = 5.0  # of a point when sampling has just begun
MOST_POINTS = 90
STALE_S = 5.0  # a point needs a sample in the last seconds before it
OK = "ok"
REQUESTS = "handwriting_requests_total"
QUEUE = "inkserve_queue_seconds"
LATENCY = "inkserve_request_seconds"  # histogram of the front end: as a client has it


@dataclass(frozen=True)
class Selection:
    """What the figures cover: all recognisers, one of them, or one of its versions.

    Attributes:
        model: name of the recogniser, "" for all.
        version: MAJOR.MINOR, "" for all.
    """

    model: str = ""
    version: str = ""

    @property
    def name(self) -> str:
        """The name to show."""
        return f"{self.model} {self.version}".strip() or "All recognisers"

    @property
    def labels(self) -> dict[str, str]:
        """Labels of our own metrics."""
        return {name: value for name, value in (("model", self.model), ("version", self.version)) if value}


@dataclass(frozen=True)
class Figures:
    """What happened in a window.

    Attributes:
        elapsed_s: from the first sample in it to the last.
        requests: answered by workers, with predictions or errors.
        latency: time of each request, from its last byte read to its answer written, s.
        mean_handler_ms: mean handler time of a batch; None without a batch.
        batches: batch sizes.
        mean_batch: mean batch size; None without a batch.
        mean_queue_ms: mean queue time of a request; None without a request.
        queued: number of requests in the mean queue time.
        errors: requests by type of error, the most frequent first.
        server_errors: TorchServe's 5xx responses, of all recognisers and of the management API.
    """

    elapsed_s: float
    requests: int
    latency: Histogram
    mean_handler_ms: float | None
    batches: Histogram
    mean_batch: float | None
    mean_queue_ms: float | None
    queued: int
    errors: dict[str, int]
    server_errors: int

    @property
    def requests_per_s(self) -> float:
        """Throughput."""
        return self.requests / self.elapsed_s


class Point(NamedTuple):
    """One point of the charts; None where there were no samples, or too few requests.

    Attributes:
        time_s: its end, s since the epoch.
        requests_per_s: throughput.
        p50, p95, p99: latency of requests, ms.
        answered: number of requests in the quantiles.
    """

    time_s: float
    requests_per_s: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    answered: int


def figures(samples: Sequence[Sample], window_s: float, selection: Selection) -> Figures | None:
    """Compute the figures of the last window_s of samples, or None without two samples in it."""
    if not samples:
        return None
    start = bisect_left(samples, samples[-1].time_s - window_s, key=_time)
    before, after = samples[start], samples[-1]
    if after.time_s <= before.time_s:
        return None
    grown = increase(before.totals, after.totals)
    outcomes = sum_by(grown, REQUESTS, "outcome", **selection.labels)
    frequent = sorted(outcomes.items(), key=lambda each: (-round(each[1]), each[0]))
    return Figures(
        elapsed_s=after.time_s - before.time_s,
        requests=round(sum(outcomes.values())),
        latency=histogram(grown, LATENCY, **selection.labels),
        mean_handler_ms=_mean_ms(grown, "handwriting_handler_seconds", selection),
        batches=histogram(grown, "handwriting_batch_requests", **selection.labels),
        mean_batch=mean(grown, "handwriting_batch_requests", **selection.labels),
        mean_queue_ms=_mean_ms(grown, QUEUE, selection),
        queued=round(total(grown, f"{QUEUE}_count", **selection.labels)),
        errors={kind: round(count) for kind, count in frequent if kind != OK and round(count)},
        server_errors=round(total(grown, "Requests5XX_total") + total(grown, "Requests5XX")),
    )


def points(samples: Sequence[Sample], window_s: float, selection: Selection) -> list[Point]:
    """Compute the points of the charts over the last window_s, the oldest first.

    Their times are multiples of their distance, so that points do not move from one refresh to the next.
    """
    if not samples:
        return []
    step_s = point_step(window_s)
    last = int(samples[-1].time_s // step_s)
    ends = (step_s * number for number in range(last - int(window_s // step_s) + 1, last + 1))
    return [_point(samples, end_s, slice_length(window_s), selection) for end_s in ends if end_s >= samples[0].time_s]


def point_step(window_s: float) -> int:
    """Return the distance of the points in a window, s."""
    return max(1, round(window_s / MOST_POINTS))


def slice_length(window_s: float) -> float:
    """Return the time that each point in a window covers, s: SLICE_S, or all since the previous point."""
    return max(SLICE_S, point_step(window_s))


def quantile_ms(quantile: Quantile) -> float | None:
    """Return a quantile in ms, None if it has fewer than MIN_OBSERVATIONS."""
    if quantile.value is None or quantile.count < MIN_OBSERVATIONS:
        return None
    return 1000 * quantile.value


def selections(versions: Versions) -> list[Selection]:
    """Return what can be selected: all, each recogniser, and each version of those that have several."""
    found = [Selection()]
    for model in sorted({version.model for version in versions}):
        own = [each for each in versions if each.model == model]
        found.append(Selection(model))
        if len(own) > 1:
            found += [Selection(model, each.version) for each in own]
    return found


def selected(versions: Versions, selection: Selection) -> Versions:
    """Return the versions of a selection."""
    return tuple(
        each for each in versions if selection.model in {"", each.model} and selection.version in {"", each.version}
    )


def _point(samples: Sequence[Sample], end_s: float, slice_s: float, selection: Selection) -> Point:
    first = bisect_left(samples, end_s - slice_s, key=_time)
    last = bisect_right(samples, end_s, key=_time) - 1
    before, after = samples[first], samples[last]
    # A server under load may answer requests and miss a check
    is_up = (
        after.is_up or total(increase(samples[max(0, last - 1)].totals, after.totals), REQUESTS, **selection.labels) > 0
    )
    if not is_up or after.time_s < end_s - STALE_S or after.time_s - before.time_s < SHORTEST_SLICE_S:
        return Point(end_s, None, None, None, None, 0)
    grown = increase(before.totals, after.totals)
    latency = histogram(grown, LATENCY, **selection.labels)
    quantiles = (quantile_ms(latency.quantile(q)) for q in QUANTILES.values())
    requests = total(grown, REQUESTS, **selection.labels)
    return Point(end_s, requests / (after.time_s - before.time_s), *quantiles, latency.count)


def _mean_ms(grown: Values, name: str, selection: Selection) -> float | None:
    mean_s = mean(grown, name, **selection.labels)
    return None if mean_s is None else 1000 * mean_s


def _time(sample: Sample) -> float:
    return sample.time_s
