"""The charts over time: fixed specifications, and their data.

Streamlit updates a chart in place only if its specification does not change. So everything that changes is in the data:
points, events, and the edges of the window. The colours are variables of the style sheet, which work because Streamlit
draws charts of this size as SVG.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import altair as alt
import pandas as pd

from dashboard.live.events import Event
from dashboard.live.window_figures import QUANTILES, Point

POINT, EVENT, EDGE = "point", "event", "edge"
HEIGHT_PX = 270  # with axes and legend
LABEL_ROWS = 4  # labels of successive events are one below the other
ROW_PX = 14
LABEL_PX = 150
INK, QUIET, WARN = "var(--ink)", "var(--quiet)", "var(--warn)"
TEXT = {"labelColor": QUIET, "titleColor": QUIET}  # Streamlit's grey has too little contrast
TIME_AXIS = alt.Axis(format="%H:%M:%S", tickCount=5, labelOverlap=True, labelBound=True, **TEXT)
TIME = alt.X("time:T", title="time of day", axis=TIME_AXIS)
DOT = {"size": 9, "filled": True, "strokeWidth": 0}  # a point without neighbours has no line
TIME_TIP = alt.Tooltip("time:T", format="%H:%M:%S")
FROM_ZERO = alt.Scale(zero=True, nice=True)


def frame(points: Sequence[Point], events: Sequence[Event], start_s: float, end_s: float) -> pd.DataFrame:
    """Return the data of both charts.

    Args:
        points: the oldest first.
        events: of the window.
        start_s: start of the window and of the axis, s since the epoch.
        end_s: their end.
    """
    rows: list[dict[str, Any]] = [{"kind": EDGE, "time": each} for each in (start_s, end_s)]
    for point in points:
        rows.append({"kind": POINT, "time": point.time_s, "rate": point.requests_per_s})
        rows += [
            {"kind": POINT, "time": point.time_s, "quantile": q, "ms": getattr(point, q), "answered": point.answered}
            for q in QUANTILES
        ]
    for index, event in enumerate(events):
        row = {"kind": EVENT, "time": event.time_s, "event": event.text, "late": event.time_s > (start_s + end_s) / 2}
        rows.append(row | {"row": ROW_PX // 2 + index % LABEL_ROWS * ROW_PX})
    columns = {"kind": "str", "time": "float64", "rate": "float64", "quantile": "object", "ms": "float64"}
    columns |= {"answered": "float64", "event": "object", "late": "object", "row": "float64"}
    made = pd.DataFrame(rows, columns=list(columns)).astype(columns)
    return made.assign(time=1000 * made["time"])  # ms since the epoch, shown in the browser's time zone


@cache
def throughput() -> dict[str, Any]:
    """Specify requests/s over time, with the events."""
    line = (
        alt.Chart()
        .transform_filter(f"datum.kind == '{POINT}' && datum.quantile == null")
        .mark_line(color=INK, point=alt.OverlayMarkDef(color=INK, **DOT))
        .encode(
            x=TIME,
            y=alt.Y("rate:Q", title="requests/s", scale=FROM_ZERO, axis=alt.Axis(**TEXT)),
            tooltip=[TIME_TIP, alt.Tooltip("rate:Q", title="requests/s", format=".1f")],
        )
    )
    return _with_events(line)


@cache
def quantiles() -> dict[str, Any]:
    """Specify p50, p95 and p99 of the latency over time, with the events. Dashes also distinguish them."""
    names = list(QUANTILES)
    legend = alt.Legend(title=None, orient="top", symbolType="stroke", symbolSize=500, labelColor=QUIET)
    dashes = alt.Scale(domain=names, range=[[1, 0], [6, 3], [2, 2]])
    line = (
        alt.Chart()
        .transform_filter("datum.quantile != null")
        .mark_line(point=alt.OverlayMarkDef(**DOT))
        .encode(
            x=TIME,
            y=alt.Y("ms:Q", title="latency (ms)", scale=FROM_ZERO, axis=alt.Axis(**TEXT)),
            color=alt.Color("quantile:N", scale=alt.Scale(domain=names, range=[INK, QUIET, WARN]), legend=legend),
            strokeDash=alt.StrokeDash("quantile:N", scale=dashes, legend=legend),
            tooltip=[
                TIME_TIP,
                "quantile:N",
                alt.Tooltip("ms:Q", format=".3g"),
                alt.Tooltip("answered:Q", title="requests"),
            ],
        )
    )
    return _with_events(line)


def _with_events(line: alt.Chart) -> dict[str, Any]:
    edges = alt.Chart().transform_filter(f"datum.kind == '{EDGE}'").mark_point(opacity=0).encode(x=TIME)
    events = alt.Chart().transform_filter(f"datum.kind == '{EVENT}'")
    rules = events.mark_rule(color=WARN, strokeDash=[4, 3]).encode(x=TIME, tooltip=[TIME_TIP, "event:N"])
    labels = [  # on the side of the rule with more space
        events.transform_filter(condition)
        .mark_text(align=align, dx=dx, fontSize=11, limit=LABEL_PX, color=WARN)
        .encode(x=TIME, y=alt.Y("row:Q", scale=None, axis=None), text="event:N")
        for condition, align, dx in (("!datum.late", "left", 4), ("datum.late", "right", -4))
    ]
    made = alt.layer(edges, line, rules, *labels).properties(height=HEIGHT_PX).to_dict()
    made.pop("config", None)  # Streamlit sets size and theme
    return made
