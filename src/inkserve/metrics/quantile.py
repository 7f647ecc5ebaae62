"""Quantiles from the buckets of a histogram, by PromQL's rule, always with their count."""

from dataclasses import dataclass
from itertools import accumulate
from math import isinf

from inkserve.metrics.prometheus_page import Values, sum_by


@dataclass(frozen=True)
class Quantile:
    """An estimate, and the number of observations that it is from.

    Attributes:
        value: in the histogram's unit; None without an observation, a finite bucket, or the bucket +Inf.
        count: of observations.
    """

    value: float | None
    count: int


@dataclass(frozen=True)
class Histogram:
    """Observations in buckets.

    Attributes:
        bounds: upper bounds, rising; the last one is infinity on every complete page.
        cumulative: number of observations up to each bound; never falling.
    """

    bounds: tuple[float, ...] = ()
    cumulative: tuple[float, ...] = ()

    @property
    def count(self) -> int:
        """Number of observations."""
        return round(self.cumulative[-1]) if self.cumulative else 0

    @property
    def counts(self) -> list[float]:
        """Number of observations in each single bucket."""
        return [after - before for before, after in zip((0.0, *self.cumulative), self.cumulative, strict=False)]

    def quantile(self, q: float) -> Quantile:
        """Estimate a quantile as PromQL's histogram_quantile does.

        Observations count as evenly spread in their bucket; the first bucket begins at 0. A quantile in the last
        bucket, which has no end, is given as the highest finite bound: it is at least that.

        Args:
            q: in (0, 1], 0.95 for p95.

        Raises:
            ValueError: q is outside.
        """
        if not 0 < q <= 1:
            raise ValueError(f"the quantile is {q}; wanted one in (0, 1]")
        if not self.count or len(self.bounds) < 2 or not isinf(self.bounds[-1]):  # noqa: PLR2004 - one finite bound
            return Quantile(None, self.count)
        rank = q * self.cumulative[-1]
        at = next(index for index, reached in enumerate(self.cumulative) if reached >= rank)
        if isinf(self.bounds[at]):
            return Quantile(self.bounds[-2], self.count)
        if at == 0 and self.bounds[0] <= 0:
            return Quantile(self.bounds[0], self.count)
        start, below = (self.bounds[at - 1], self.cumulative[at - 1]) if at else (0.0, 0.0)
        share = (rank - below) / (self.cumulative[at] - below)
        return Quantile(start + (self.bounds[at] - start) * share, self.count)


def histogram(grown: Values, name: str, **labels: str) -> Histogram:
    """Sum the buckets of a histogram over its label sets.

    Args:
        grown: increases between two pages; those of the buckets, `<name>_bucket`, are cumulative as on the page.
        name: of the histogram.
        labels: that the label sets have; they may have others, too.

    Returns:
        a histogram without bounds where the page has none of that name.
    """
    by_bound = {float(bound): count for bound, count in sum_by(grown, f"{name}_bucket", "le", **labels).items()}
    bounds = tuple(sorted(by_bound))
    # A restart between two pages can leave buckets that fall; PromQL makes them level, too
    return Histogram(bounds, tuple(accumulate((by_bound[bound] for bound in bounds), max)))
