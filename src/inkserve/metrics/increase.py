"""Increases of counters, also across restarts of the process that counts."""

from inkserve.metrics.prometheus_page import Series, Values


def increase(before: Values, after: Values) -> dict[Series, float]:
    """Return the increase of each counter of a page since an earlier page.

    A counter that fell has restarted, and counts from zero, as in PromQL's rate(). So does one that the earlier page
    lacks: label sets, such as a type of error, appear with their first event.

    Args:
        before: of the earlier page.
        after: of the later page.

    Returns:
        one value of at least 0 for each series of the later page.
    """
    return {series: _grown(before.get(series, 0.0), value) for series, value in after.items()}


def rate(grown: Values, elapsed_s: float) -> dict[Series, float]:
    """Return increases per second.

    Raises:
        ValueError: no time has passed.
    """
    if not elapsed_s > 0:  # so that NaN is refused, too
        raise ValueError(f"{elapsed_s} s lie between the pages; wanted more than 0")
    return {series: value / elapsed_s for series, value in grown.items()}


class Totals:
    """Counters that never fall, from pages whose counters may fall: the difference of two totals is the increase.

    The values of the first page count as zero. A series that is missing on some pages continues from its last total.
    """

    def __init__(self) -> None:
        self._last: dict[Series, float] | None = None
        self._totals: dict[Series, float] = {}

    def add(self, values: Values) -> Values:
        """Add the next page's values, and return the totals; the returned mapping never changes."""
        if self._last is None:
            self._last = dict(values)
            self._totals = dict.fromkeys(values, 0.0)
            return self._totals
        changed = {series: grown for series, grown in increase(self._last, values).items() if grown}
        new = values.keys() - self._last.keys()
        self._last.update(values)
        if changed or new:  # else the same mapping again: hours of an idle server need no memory
            self._totals = {
                **self._totals,
                **dict.fromkeys(new, 0.0),
                **{series: self._totals.get(series, 0.0) + grown for series, grown in changed.items()},
            }
        return self._totals


def _grown(before: float, after: float) -> float:
    return after - before if after >= before else after
