"""The figures of a window of samples: throughput, quantiles with their counts, means, errors, workers."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dashboard.live.events import Versions
from dashboard.live.sampler import IN_FLIGHT, MEMORY, WAITING, Sample
from inkserve.metrics import Histogram, Quantile, Values, histogram, increase, mean, sum_by, total
from inkserve.metrics.prometheus_page import matching

MIN_OBSERVATIONS = 100  # of a quantile
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
NOW_S = 5.0  # what the rate "now" covers
RATE_SLICE_S = 3.0  # a point of a rate covers the seconds before it; more in long windows
SLICE_S = 15.0  # a point of the latency does, which needs more requests; more in long windows
SHORTEST_SLICE_S = 2.0  # of a point when sampling has just begun
MOST_POINTS = 90
JITTER_S = 0.5
STALE_S = 5.0  # a point needs a sample in the last seconds before it
OK = "ok"
OUTCOMES = "handwriting_requests_total"  # of pictures' requests in the workers
FAILED = 400  # the least status of a failed request
MIB = 2**20
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
        requests: answered, with predictions or errors.
        now_per_s: throughput of the last NOW_S; None without samples so close, as in long windows.
        latency: time of each request, from its last byte read to its answer written, s.
        mean_handler_ms: mean handler time of a batch; None without a batch.
        batches: batch sizes.
        mean_batch: mean batch size; None without a batch.
        mean_queue_ms: mean queue time of a request; None without a request.
        queued: number of requests in the mean queue time.
        errors: requests that workers refused, by type of error, the most frequent first.
        statuses: failed requests by HTTP status, the most frequent first, those that no worker saw included.
    """

    elapsed_s: float
    requests: int
    now_per_s: float | None
    latency: Histogram
    mean_handler_ms: float | None
    batches: Histogram
    mean_batch: float | None
    mean_queue_ms: float | None
    queued: int
    errors: dict[str, int]
    statuses: dict[str, int]

    @property
    def requests_per_s(self) -> float:
        """Throughput."""
        return self.requests / self.elapsed_s

    @property
    def failed(self) -> int:
        """Number of failed requests."""
        return sum(self.statuses.values())


class Point(NamedTuple):
    """One point of the charts; None where there were no samples, or too few requests.

    Attributes:
        time_s: its end, s since the epoch.
        requests_per_s: throughput.
        failed_per_s: failed requests.
        p50, p95, p99: latency of requests, ms.
        answered: number of requests in the quantiles.
        in_flight: requests that were read and not answered yet, of all recognisers.
        waiting: requests in queues.
        memory_mib: of the workers.
    """

    time_s: float
    requests_per_s: float | None = None
    failed_per_s: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    answered: int = 0
    in_flight: float | None = None
    waiting: float | None = None
    memory_mib: float | None = None


def figures(samples: Sequence[Sample], window_s: float, selection: Selection) -> Figures | None:
    """Compute the figures of the last window_s of samples, or None without two samples in it."""
    if not samples:
        return None
    start = bisect_left(samples, samples[-1].time_s - window_s, key=_time)
    before, after = samples[start], samples[-1]
    if after.time_s <= before.time_s:
        return None
    grown = increase(before.totals, after.totals)
    statuses = sum_by(grown, f"{LATENCY}_count", "status", **selection.labels)
    last = _span(samples, after.time_s, NOW_S)
    return Figures(
        elapsed_s=after.time_s - before.time_s,
        requests=round(sum(statuses.values())),
        now_per_s=None if last is None or elapsed(last) > 2 * NOW_S else _per_s(last, selection)[0],
        latency=histogram(grown, LATENCY, **selection.labels),
        mean_handler_ms=_mean_ms(grown, "handwriting_handler_seconds", selection),
        batches=histogram(grown, "handwriting_batch_requests", **selection.labels),
        mean_batch=mean(grown, "handwriting_batch_requests", **selection.labels),
        mean_queue_ms=_mean_ms(grown, QUEUE, selection),
        queued=round(total(grown, f"{QUEUE}_count", **selection.labels)),
        errors=_frequent(sum_by(grown, OUTCOMES, "outcome", **selection.labels), {OK}),
        statuses=_frequent({status: count for status, count in statuses.items() if _is_failed(status)}),
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
    slices = max(RATE_SLICE_S, step_s), slice_length(window_s)
    return [_point(samples, end_s, *slices, selection) for end_s in ends if end_s >= samples[0].time_s]


def point_step(window_s: float) -> int:
    """Return the distance of the points in a window, s."""
    return max(1, round(window_s / MOST_POINTS))


def slice_length(window_s: float) -> float:
    """Return the time that each point of the latency covers, s: SLICE_S, or all since the previous point."""
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


def _point(samples: Sequence[Sample], end_s: float, rate_slice_s: float, slice_s: float, selection: Selection) -> Point:
    of_rate, of_latency = (_span(samples, end_s, each) for each in (rate_slice_s, slice_s))
    if of_rate is None or of_latency is None:
        return Point(end_s)
    after = of_rate[1]
    requests_per_s, failed_per_s = _per_s(of_rate, selection)
    # A server under load may answer requests and miss a check
    is_up = after.is_up or _per_s((samples[bisect_left(samples, after.time_s, key=_time) - 1], after), selection)[0] > 0
    if not is_up or after.time_s < end_s - STALE_S:
        return Point(end_s)
    latency = histogram(increase(of_latency[0].totals, after.totals), LATENCY, **selection.labels)
    quantiles = (quantile_ms(latency.quantile(q)) for q in QUANTILES.values())
    memory = _gauge(after, MEMORY, **selection.labels)
    return Point(
        end_s,
        requests_per_s,
        failed_per_s,
        *quantiles,
        latency.count,
        _gauge(after, IN_FLIGHT),
        _gauge(after, WAITING, **selection.labels),
        None if memory is None else memory / MIB,
    )


def _gauge(sample: Sample, name: str, **labels: str) -> float | None:
    return total(sample.gauges, name, **labels) if any(matching(sample.gauges, name, **labels)) else None


def _span(samples: Sequence[Sample], end_s: float, slice_s: float) -> tuple[Sample, Sample] | None:
    """Return the last sample before a time, and the one a slice earlier; the first one when sampling has just begun."""
    last = bisect_right(samples, end_s, key=_time) - 1
    if last < 0:
        return None
    after = samples[last]
    # Samples do not come to the millisecond
    before = samples[max(0, bisect_right(samples, after.time_s - slice_s + JITTER_S, key=_time) - 1)]
    span = before, after
    return span if elapsed(span) >= SHORTEST_SLICE_S else None


def elapsed(span: tuple[Sample, Sample]) -> float:
    """Return the time from the first sample to the second, s."""
    return span[1].time_s - span[0].time_s


def _per_s(span: tuple[Sample, Sample], selection: Selection) -> tuple[float, float]:
    """Return requests/s and failed requests/s."""
    before, after = span
    statuses = sum_by(increase(before.totals, after.totals), f"{LATENCY}_count", "status", **selection.labels)
    failed = sum(count for status, count in statuses.items() if _is_failed(status))
    return sum(statuses.values()) / elapsed(span), failed / elapsed(span)


def _is_failed(status: str) -> bool:
    return not status.isdecimal() or int(status) >= FAILED


def _frequent(counts: Mapping[str, float], without: Collection[str] = ()) -> dict[str, int]:
    """Return the counts that are not 0, the largest first."""
    ordered = sorted(counts.items(), key=lambda each: (-round(each[1]), each[0]))
    return {name: round(count) for name, count in ordered if name not in without and round(count)}


def _mean_ms(grown: Values, name: str, selection: Selection) -> float | None:
    mean_s = mean(grown, name, **selection.labels)
    return None if mean_s is None else 1000 * mean_s


def _time(sample: Sample) -> float:
    return sample.time_s
