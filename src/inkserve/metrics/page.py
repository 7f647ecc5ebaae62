"""One reading of a Prometheus page."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class PageError(ValueError):
    """The text is no Prometheus page."""


class Series(NamedTuple):
    """What a value is of: the name of a sample, as `requests_total`, and its labels, sorted by their names."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()


Values = Mapping[Series, float]


@dataclass(frozen=True)
class Page:
    """The values of a page.

    Attributes:
        time_s: when it was read, s since the epoch.
        values: by series.
    """

    time_s: float
    values: Values


def read_page(text: str, time_s: float | None = None, prefixes: tuple[str, ...] = ("",)) -> Page:
    """Read a page in Prometheus' text format.

    Args:
        text: the page.
        time_s: when it was read, s since the epoch; by default now.
        prefixes: how the wanted names begin. The others are not parsed, which saves most of a large page's cost.

    Raises:
        PageError: a wanted line is not of that format.
    """
    wanted = "\n".join(line for line in text.split("\n") if line.startswith(prefixes))
    try:
        values = {
            Series(sample.name, tuple(sorted(sample.labels.items()))): float(sample.value)
            for family in text_string_to_metric_families(wanted)
            for sample in family.samples
        }
    except (ValueError, IndexError, KeyError) as err:
        raise PageError(f"the text is no Prometheus page: {err}") from err
    return Page(time.time() if time_s is None else time_s, values)
