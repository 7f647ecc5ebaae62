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
DASHES = [[1, 0], [6, 3], [2, 2]]
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
    """Return the data of all charts.

    Args:
        points: the oldest first.
        events: of the window.
        start_s: start of the window and of the axis, s since the epoch.
        end_s: their end.
    """
    # Their values of 1 give an idle axis a scale
    rows: list[dict[str, Any]] = [{"kind": EDGE, "time": each, "value": 1.0} for each in (start_s, end_s)]
    for point in points:
        series = {"requests": point.requests_per_s, "failed": point.failed_per_s}
        series |= {"in flight": point.in_flight, "waiting": point.waiting, "memory": point.memory_mib}
        series |= {q: getattr(point, q) for q in QUANTILES}
        rows += [
            {"kind": POINT, "time": point.time_s, "series": name, "value": value, "answered": point.answered}
            for name, value in series.items()
        ]
    for index, event in enumerate(events):
        row = {"kind": EVENT, "time": event.time_s, "event": event.text, "late": event.time_s > (start_s + end_s) / 2}
        rows.append(row | {"row": ROW_PX // 2 + index % LABEL_ROWS * ROW_PX})
    columns = {"kind": "str", "time": "float64", "series": "object", "value": "float64", "answered": "float64"}
    columns |= {"event": "object", "late": "object", "row": "float64"}
    made = pd.DataFrame(rows, columns=list(columns)).astype(columns)
    return made.assign(time=1000 * made["time"])  # ms since the epoch, shown in the browser's time zone


def throughput() -> dict[str, Any]:
    """Specify requests/s and failed ones over time, with the events."""
    return _chart("requests/s", ".1f", (("requests", INK), ("failed", WARN)))


def quantiles() -> dict[str, Any]:
    """Specify p50, p95 and p99 of the latency over time, with the events."""
    return _chart("latency (ms)", ".3g", tuple(zip(QUANTILES, (INK, QUIET, WARN), strict=True)), has_count=True)


def in_flight() -> dict[str, Any]:
    """Specify the requests in flight, and those of them in queues, over time, with the events."""
    return _chart("requests", ".0f", (("in flight", INK), ("waiting", WARN)), are_whole=True)


def memory() -> dict[str, Any]:
    """Specify the memory of the workers over time, with the events."""
    return _chart("MiB", ",.0f", (("memory", INK),))


@cache
def _chart(
    title: str, number: str, series: tuple[tuple[str, str], ...], has_count: bool = False, are_whole: bool = False
) -> dict[str, Any]:
    """Specify lines over time. Dashes also distinguish them.

    Args:
        title: of the vertical axis.
        number: format of its values.
        series: name and colour of each line.
        has_count: whether the tooltip says how many requests a point has.
        are_whole: whether the values are counts.
    """
    names, colours = map(list, zip(*series, strict=True))
    legend = alt.Legend(title=None, orient="top", symbolType="stroke", symbolSize=500, labelColor=QUIET)
    axis = alt.Axis(**TEXT, **({"tickMinStep": 1} if are_whole else {}))
    value = alt.Y("value:Q", title=title, scale=FROM_ZERO, axis=axis)
    tips = [TIME_TIP, "series:N", alt.Tooltip("value:Q", title=title, format=number)]
    line = (
        alt.Chart()
        .transform_filter(alt.FieldOneOfPredicate("series", names))
        .mark_line(point=alt.OverlayMarkDef(**DOT))
        .encode(
            x=TIME,
            y=value,
            color=alt.Color("series:N", scale=alt.Scale(domain=names, range=colours), legend=legend),
            strokeDash=alt.StrokeDash(
                "series:N", scale=alt.Scale(domain=names, range=DASHES[: len(names)]), legend=legend
            ),
            tooltip=[*tips, alt.Tooltip("answered:Q", title="requests")] if has_count else tips,
        )
    )
    return _with_events(line, value)


def _with_events(line: alt.Chart, value: alt.Y) -> dict[str, Any]:
    edges = alt.Chart().transform_filter(f"datum.kind == '{EDGE}'").mark_point(opacity=0).encode(x=TIME, y=value)
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
