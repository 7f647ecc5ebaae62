"""The change between two readings of a Prometheus page: increases, rates, and quantiles with their counts.

from inkserve.metrics import histogram, increase, read_page

grown = increase(read_page(earlier).values, read_page(later).values)
histogram(grown, "handwriting_handler_seconds", model="digits").quantile(0.95)  # Quantile(value=0.0047, count=812)
"""

from inkserve.metrics.increase import Totals, increase, rate
from inkserve.metrics.prometheus_page import Page, PageError, Series, Values, mean, read_page, sum_by, total
from inkserve.metrics.quantile import Histogram, Quantile, histogram

__all__ = [
    "Histogram",
    "Page",
    "PageError",
    "Quantile",
    "Series",
    "Totals",
    "Values",
    "histogram",
    "increase",
    "mean",
    "rate",
    "read_page",
    "sum_by",
    "total",
]
