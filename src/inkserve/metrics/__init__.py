"""What a Prometheus page says between two moments: increases, rates, and quantiles with their counts.

    from inkserve.metrics import histogram, increase, read_page

    grown = increase(read_page(earlier).values, read_page(later).values)
    histogram(grown, "handwriting_handler_seconds", model="digits").quantile(0.95)  # Quantile(value=0.0047, count=812)

Needs prometheus_client, and neither torch nor streamlit.
"""

from inkserve.metrics.increase import Totals, increase, rate
from inkserve.metrics.page import Page, PageError, Series, Values, read_page
from inkserve.metrics.quantile import Histogram, Quantile, histogram
from inkserve.metrics.select import mean, sum_by, total

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
