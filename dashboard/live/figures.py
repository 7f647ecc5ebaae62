"""The figures of a window of samples: throughput, quantiles with their counts, means, errors, workers."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dashboard.live.sampler import Sample
from dashboard.shared.fleet import Fleet
from inkserve.metrics import Histogram, Quantile, Values, histogram, increase, mean, sum_by, total

TOO_FEW = 100  # observations under which a quantile is not told
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
SLICE_S = 15.0  # each point of a chart tells of the seconds before it, of more in long windows
SHORTEST_SLICE_S = 5.0  # what there is of a slice when sampling has just begun
MOST_POINTS = 90
STALE_S = 5.0  # a slice whose last sample is older has none
OK = "ok"
TORCHSERVES_DEFAULT = "default"  # its label for requests that name no version


@dataclass(frozen=True)
class Choice:
    """What figures are of: everything, a recogniser, or one version of it.

    Attributes:
        model: name of the recogniser, "" for all.
        version: MAJOR.MINOR, "" for all.
        is_default: whether requests that name no version go to this one.
    """

    model: str = ""
    version: str = ""
    is_default: bool = False

    @property
    def name(self) -> str:
        """For a reader."""
        return f"{self.model} {self.version}".strip() or "All recognisers"

    @property
    def labels(self) -> dict[str, str]:
        """Labels of our own metrics."""
        return {name: value for name, value in (("model", self.model), ("version", self.version)) if value}

    def of_torchserve(self, grown: Values, name: str) -> float:
        """Sum up a metric of TorchServe's own, which knows only the versions that requests name."""
        labels = [{"model_name": self.model} if self.model else {}]
        if self.version:
            versions = [self.version, TORCHSERVES_DEFAULT] if self.is_default else [self.version]
            labels = [labels[0] | {"model_version": version} for version in versions]
        # Its own page has some counters without the ending that Prometheus' library gives them on the way to ours
        return sum(total(grown, each, **wanted) for each in (name, f"{name}_total") for wanted in labels)


@dataclass(frozen=True)
class Figures:
    """What happened in a window.

    Attributes:
        elapsed_s: from the first sample in it to the last.
        requests: answered by the workers, whether with predictions or errors.
        handler: time in the handler by batch, s.
        batches: requests in a batch.
        mean_batch: requests; None without a batch.
        mean_queue_ms: None without a request.
        queued: requests that the mean is of.
        outcomes: requests by outcome: "ok", or the type of the error.
        server_errors: 5xx of any recogniser, or of the management API, that TorchServe counts without saying of which.
    """

    elapsed_s: float
    requests: int
    handler: Histogram
    batches: Histogram
    mean_batch: float | None
    mean_queue_ms: float | None
    queued: int
    outcomes: dict[str, int]
    server_errors: int

    @property
    def requests_per_s(self) -> float:
        """Throughput."""
        return self.requests / self.elapsed_s

    @property
    def errors(self) -> dict[str, int]:
        """Requests by type of error, the most frequent first."""
        found = {kind: count for kind, count in self.outcomes.items() if kind != OK and count}
        return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


class Point(NamedTuple):
    """One point of the charts: the slice before it; None where there were no samples, or too few batches.

    Attributes:
        time_s: its end, s since the epoch.
        requests_per_s: throughput.
        p50, p95, p99: handler time by batch, ms.
        batches: number of batches that the quantiles are of.
    """

    time_s: float
    requests_per_s: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    batches: int


def figures(samples: Sequence[Sample], window_s: float, choice: Choice) -> Figures | None:
    """Compute the figures of the last window_s of samples, or None without two samples in it."""
    if not samples:
        return None
    start = bisect_left(samples, samples[-1].time_s - window_s, key=_time)
    return _between(samples[start], samples[-1], choice)


def points(samples: Sequence[Sample], window_s: float, choice: Choice) -> list[Point]:
    """Compute the points of the charts over the last window_s, the oldest first.

    They lie on whole multiples of their distance, so that they stay in their places from one look to the next.
    """
    if not samples:
        return []
    step_s = point_step(window_s)
    last = int(samples[-1].time_s // step_s)
    ends = (step_s * number for number in range(last - int(window_s // step_s) + 1, last + 1))
    return [_point(samples, end_s, slice_length(window_s), choice) for end_s in ends if end_s >= samples[0].time_s]


def point_step(window_s: float) -> int:
    """Return the distance of the points in a window, s."""
    return max(1, round(window_s / MOST_POINTS))


def slice_length(window_s: float) -> float:
    """Return what each point in a window tells of, s: SLICE_S, or all since the point before it."""
    return max(SLICE_S, point_step(window_s))


def tell(quantile: Quantile) -> float | None:
    """Return a quantile in ms, or None where it is of too few observations."""
    if quantile.value is None or quantile.count < TOO_FEW:
        return None
    return 1000 * quantile.value


def choices(fleet: Fleet) -> list[Choice]:
    """Return what can be chosen: all, each recogniser, and each version of those that have several."""
    found = [Choice()]
    for model in sorted({version.model for version in fleet}):
        versions = [each for each in fleet if each.model == model]
        found.append(Choice(model))
        if len(versions) > 1:
            found += [Choice(model, each.version, each.is_default) for each in versions]
    return found


def chosen(fleet: Fleet, choice: Choice) -> Fleet:
    """Return the versions that a choice is of."""
    return tuple(each for each in fleet if choice.model in {"", each.model} and choice.version in {"", each.version})


def _point(samples: Sequence[Sample], end_s: float, slice_s: float, choice: Choice) -> Point:
    first = bisect_left(samples, end_s - slice_s, key=_time)
    last = bisect_right(samples, end_s, key=_time) - 1
    empty = Point(end_s, None, None, None, None, 0)
    if last <= first or not samples[last].is_up or samples[last].time_s < end_s - STALE_S:
        return empty
    if samples[last].time_s - samples[first].time_s < SHORTEST_SLICE_S:
        return empty
    before, after = samples[first], samples[last]
    grown = increase(before.totals, after.totals)
    handler = histogram(grown, "handwriting_handler_seconds", **choice.labels)
    quantiles = (tell(handler.quantile(q)) for q in QUANTILES.values())
    requests = total(grown, "handwriting_requests_total", **choice.labels)
    return Point(end_s, requests / (after.time_s - before.time_s), *quantiles, handler.count)


def _between(before: Sample, after: Sample, choice: Choice) -> Figures | None:
    if after.time_s <= before.time_s:
        return None
    grown = increase(before.totals, after.totals)
    outcomes = sum_by(grown, "handwriting_requests_total", "outcome", **choice.labels)
    queued = choice.of_torchserve(grown, "ts_inference_requests")
    queue_us = choice.of_torchserve(grown, "ts_queue_latency_microseconds")
    return Figures(
        elapsed_s=after.time_s - before.time_s,
        requests=round(sum(outcomes.values())),
        handler=histogram(grown, "handwriting_handler_seconds", **choice.labels),
        batches=histogram(grown, "handwriting_batch_requests", **choice.labels),
        mean_batch=mean(grown, "handwriting_batch_requests", **choice.labels),
        mean_queue_ms=queue_us / queued / 1000 if queued else None,
        queued=round(queued),
        outcomes={kind: round(count) for kind, count in outcomes.items()},
        server_errors=round(total(grown, "Requests5XX_total") + total(grown, "Requests5XX")),
    )


def _time(sample: Sample) -> float:
    return sample.time_s
