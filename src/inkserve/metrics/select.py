"""Sums over the series of a page that carry the wanted labels."""

from collections import defaultdict
from collections.abc import Iterator

from inkserve.metrics.page import Values


def matching(values: Values, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
    """Go through the series of a name with these labels, whatever their others: labels and value."""
    wanted = set(labels.items())
    for series, value in values.items():
        if series.name == name and wanted.issubset(series.labels):
            yield dict(series.labels), value


def total(values: Values, name: str, **labels: str) -> float:
    """Return the sum of the series of a name with these labels; 0 if there is none."""
    return sum(value for _, value in matching(values, name, **labels))


def sum_by(values: Values, name: str, by: str, **labels: str) -> dict[str, float]:
    """Return the sum of the series of a name with these labels, for each value of the label `by`."""
    sums: defaultdict[str, float] = defaultdict(float)
    for found, value in matching(values, name, **labels):
        if by in found:
            sums[found[by]] += value
    return dict(sums)


def mean(values: Values, name: str, **labels: str) -> float | None:
    """Return the mean of what a histogram or summary saw, or None where it saw nothing."""
    count = total(values, f"{name}_count", **labels)
    return total(values, f"{name}_sum", **labels) / count if count else None
