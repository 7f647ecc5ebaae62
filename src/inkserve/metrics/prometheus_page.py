"""Reads a Prometheus page, and sums its series by their labels."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class PageError(ValueError):
    """The text is not a Prometheus page."""


class Series(NamedTuple):
    """The key of a value: the name of a sample, such as `requests_total`, and its labels, sorted by name."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()


Values = Mapping[Series, float]


@dataclass(frozen=True)
class Page:
    """The values of a page.

    Attributes:
        time_s: of the reading, s since the epoch.
        values: by series.
    """

    time_s: float
    values: Values


def read_page(text: str, time_s: float | None = None, prefixes: tuple[str, ...] = ("",)) -> Page:
    """Read a page in Prometheus' text format.

    Args:
        text: the page.
        time_s: of the reading, s since the epoch; by default now.
        prefixes: of the wanted names. The others are not parsed, which saves most of the time for a large page.

    Raises:
        PageError: a wanted line does not have that format.
    """
    wanted = "\n".join(line for line in text.split("\n") if line.startswith(prefixes))
    try:
        values = {
            Series(sample.name, tuple(sorted(sample.labels.items()))): float(sample.value)
            for family in text_string_to_metric_families(wanted)
            for sample in family.samples
        }
    except (ValueError, IndexError, KeyError) as err:
        raise PageError(f"the text is not a Prometheus page: {err}") from err
    return Page(time.time() if time_s is None else time_s, values)


def matching(values: Values, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
    """Yield labels and value of each series of a name that has these labels, and perhaps others."""
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
    """Return the mean of a histogram's or summary's observations, or None without any."""
    count = total(values, f"{name}_count", **labels)
    return total(values, f"{name}_sum", **labels) / count if count else None
