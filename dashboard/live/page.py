"""The Live page: throughput, latency, batches, errors and workers of the server, and a test load."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import streamlit as st

from dashboard.live import live_html, time_charts
from dashboard.live.events import Event
from dashboard.live.load_generator import MAX_RATE, MAX_SECONDS, MAX_USERS, LoadGenerator, LoadPlan, listens
from dashboard.live.prometheus_history import VARIABLE, History, HistoryError
from dashboard.live.sampler import Sample, Sampler
from dashboard.live.window_figures import (
    MIN_OBSERVATIONS,
    QUANTILES,
    RATE_SLICE_S,
    Selection,
    figures,
    points,
    selected,
    selections,
    slice_length,
)
from dashboard.shared import server_watch, ticking
from dashboard.shared.clicked import clicked
from dashboard.shared.endpoint import FALLBACK
from dashboard.shared.kept import kept

ROOT = Path(__file__).parents[2]
CSS = Path(__file__).with_name("live.css")
PICTURES = ROOT / "examples/digits"
WINDOWS = {"1 min": 60.0, "5 min": 300.0, "15 min": 900.0}
LONG_WINDOWS = {"1 h": 3600.0, "24 h": 86_400.0}  # with Prometheus; a third would not fit a phone
REFRESHES = {"off": None, "1 s": 1.0, "2 s": 2.0, "5 s": 5.0}
FIRST_TICK_S = 1.0  # until there are figures, also if the refresh is off
NO_SAMPLES = "Waiting for the first two samples ..."
TOO_SHORT = "Prometheus has fewer than two samples in this window. A shorter window may have more."
NO_REQUESTS = "No requests in this window. Draw a digit, or start the test load below."
RATE, USERS = "Constant rate", "Ramping users"
LOAD = (
    "Sends the example pictures, from the process of the dashboard: at a constant rate, whatever the answers take, or "
    "from users who come one after the other and send the next picture when the last is answered."
)
LOCUST = ("127.0.0.1", 8089)


def main() -> None:
    """Show the controls, the figures, which refresh automatically, and the test load."""
    st.html(CSS)
    sampler = _sampler(*(os.environ.get(name, "") for name in ("INKSERVE_METRICS_URL", "INKSERVE_MANAGEMENT_URL")))
    history = _history(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None
    window_s, refresh_s, selection = _controls(sampler, WINDOWS if history is None else WINDOWS | LONG_WINDOWS)
    if len(sampler.samples()) < 2 or sampler.versions() is None:  # noqa: PLR2004
        refresh_s = refresh_s or FIRST_TICK_S
    above = st.container()
    generator = _generator()
    last = generator.last()
    # Without a load, too: what a click has drawn may be lost (ticking.py), and is there at the next tick
    ticking.show(_load, FIRST_TICK_S if last and last[1].is_running else refresh_s, generator, sampler)
    with above:  # after the load, as they take longer
        ticking.show(_figures, refresh_s, sampler, history, window_s, selection)


@st.cache_resource(show_spinner=False)
def _sampler(metrics_url: str, management_url: str) -> Sampler:
    """Start the one sampler of this process; all sessions share it, also after a reload."""
    return Sampler({"INKSERVE_METRICS_URL": metrics_url, "INKSERVE_MANAGEMENT_URL": management_url}).start()


@st.cache_resource(show_spinner=False)
def _history(url: str) -> History:
    """Return the client of Prometheus that all sessions share."""
    return History(url)


@st.cache_resource(show_spinner=False)
def _generator() -> LoadGenerator:
    """Return the one load generator of this process."""
    return LoadGenerator([path.read_bytes() for path in sorted(PICTURES.glob("*.png"))])


def _controls(sampler: Sampler, windows: Mapping[str, float]) -> tuple[float, float | None, Selection]:
    offered = {each.name: each for each in selections(sampler.known_versions())}
    st.session_state["live-offered"] = list(offered)
    st.session_state["live-is-new"] = True
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        window = st.segmented_control("Window", list(windows), required=True, **kept("live-window", "1 min", windows))
        refresh = st.segmented_control("Refresh", list(REFRESHES), required=True, **kept("live-refresh", "1 s"))
        name = st.selectbox("Recogniser", list(offered), width=240, **kept("live-choice", next(iter(offered)), offered))
    return windows[window], REFRESHES[refresh], offered[name]


def _figures(sampler: Sampler, history: History | None, window_s: float, selection: Selection) -> None:
    """Show the figures; only this part of the page runs at each refresh."""
    samples, events, source = _look(sampler, history, window_s)
    versions = sampler.versions()
    names = dict.fromkeys(each.name for each in selections(sampler.known_versions()))  # each once, as it is offered
    # The selection is outside of this part. Not in the run that has just made it: its rest would never be shown
    if not st.session_state.pop("live-is-new", False) and list(names) != st.session_state.get("live-offered"):
        st.rerun()
    now = figures(samples, window_s, selection)
    if now is None:
        st.html(live_html.note(NO_SAMPLES if history is None else f"{TOO_SHORT} {source}"))
        return
    zone, end_s = _zone(), samples[-1].time_s
    start_s = end_s - window_s
    events = [event for event in events if event.time_s >= start_s]
    shown = None if versions is None else selected(versions, selection)
    hint = "" if now.requests else NO_REQUESTS
    # One element with or without a hint: what follows would move, and an expander that moves closes
    st.html(live_html.note(f"{_state(samples, zone)} {source}") + (live_html.note(hint) if hint else ""))
    st.html(live_html.cards(now, shown))
    drawn = points(samples, window_s, selection)
    _charts(time_charts.frame(drawn, events, start_s, end_s), slice_length(window_s))
    left, right = st.columns(2, gap="medium")
    left.html(live_html.batches(now))
    right.html(live_html.errors(now))
    # The server knows whether it is open: the browser alone would forget that whenever it builds this part anew
    numbers = st.expander("Numbers", icon=":material/table:", key="live-numbers", on_change="rerun")
    if numbers.open:
        numbers.html(live_html.numbers(now, shown))
        numbers.html(live_html.workers_table(shown or ()))
        numbers.html(live_html.events_list(events, zone))
        numbers.html(live_html.points_table(drawn, zone))


def _look(sampler: Sampler, history: History | None, window_s: float) -> tuple[list[Sample], list[Event], str]:
    """Return samples, events, and their source."""
    own = sampler.samples(), sampler.events()
    if history is None:
        return *own, f"Source: {sampler.metrics_url}, read by the dashboard every second."
    try:
        found = history.window(window_s)
    except HistoryError as err:
        return *own, f"Source: the dashboard's samples of the last 15 minutes. {VARIABLE} cannot be used: {err}."
    return found.samples, found.events, f"Source: Prometheus at {history.url}."


def _charts(data: pd.DataFrame, slice_s: float) -> None:
    st.html('<h2 class="live-heading">Over time</h2>')
    _chart(data, time_charts.throughput(), "live-throughput", "Requests and failed requests per second")
    has_latency = data["series"].isin(QUANTILES) & data["value"].notna()
    if has_latency.any():
        _chart(data, time_charts.quantiles(), "live-quantiles", "p50, p95 and p99 of the latency")
    else:
        covered = live_html.duration(slice_s)
        st.html(live_html.note(f"No latency: it needs {MIN_OBSERVATIONS} requests within {covered}."))
    st.html(
        live_html.note(
            f"A rate covers the {live_html.duration(RATE_SLICE_S)} before its point, or all since the point before. "
            f"Latency, from the last byte of a request to its answer, covers {live_html.duration(slice_s)} and needs "
            f"{MIN_OBSERVATIONS} requests. Dashed vertical lines mark events."
        )
    )
    left, right = st.columns(2, gap="medium")
    with left:
        st.html('<h3 class="live-heading">In flight and waiting</h3>')
        _chart(data, time_charts.in_flight(), "live-in-flight", "Requests in flight, and those of them in queues,")
    with right:
        st.html('<h3 class="live-heading">Memory of the workers</h3>')
        if data.loc[data["series"] == "memory", "value"].notna().any():
            _chart(data, time_charts.memory(), "live-memory", "Memory of the workers")
        else:
            st.html(live_html.note("Not yet known. It is measured once a minute."))


def _chart(data: pd.DataFrame, specification: dict[str, Any], key: str, what: str) -> None:
    alt = f"{what} over time; the same numbers are in the tables under Numbers."
    st.vega_lite_chart(data, specification, theme="streamlit", key=key, alt=alt)


def _state(samples: Sequence[Sample], zone: tzinfo) -> str:
    state = "The server is up" if samples[-1].is_up else "The server is down"
    since = live_html.duration(samples[-1].time_s - samples[0].time_s)
    return f"{state}. Sampled for {since}, last at {live_html.clock(samples[-1].time_s, zone)}."


def _load(generator: LoadGenerator, sampler: Sampler) -> None:
    """Offer a load, and show the last one."""
    last = generator.last()
    running = last is not None and last[1].is_running
    st.html('<h2 class="live-heading">Test load</h2>')
    st.html(live_html.note(LOAD))
    models = sorted({each.model for each in sampler.known_versions()}) or [FALLBACK.model]
    at = models.index(FALLBACK.model) if FALLBACK.model in models else 0
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        # Not disabled while a load runs: Streamlit forgets what was chosen just before a widget is disabled
        model = st.selectbox("Recogniser under load", models, width=200, **kept("live-load-model", models[at], models))
        kind = st.segmented_control("Load", [RATE, USERS], required=True, **kept("live-load-kind", RATE))
        label, most, default = ("Requests/s", MAX_RATE, 20) if kind == RATE else ("Users", MAX_USERS, 8)
        count = st.number_input(label, 1, most, width=120, **kept(f"live-load-{label}", default))
        seconds = st.number_input("Seconds", 1, MAX_SECONDS, width=120, **kept("live-load-seconds", 10))
        started = clicked(
            "Send", "load-send", icon=":material/play_arrow:", disabled=running or not server_watch.is_up()
        )
        stopped = clicked("Stop", "load-stop", icon=":material/stop:", disabled=not running)
    if started:
        plan = LoadPlan(model, int(seconds), **{"rate" if kind == RATE else "users": int(count)})
        if not generator.start(plan):
            st.toast("Another load is running.")
        st.rerun()
    if stopped:
        generator.stop()
    if last is not None:
        st.html(live_html.load_result(*last))
        if not last[1].is_running and last[1].outcomes:
            name = f"load-{last[0].name.replace(' ', '-').replace('/', '-per-')}.csv"
            st.download_button(
                "Report as CSV", last[1].report(), name, "text/csv", icon=":material/download:", on_click="ignore"
            )
    if _has_changed(running):
        st.rerun()
    if listens(*LOCUST):
        address = "http://{}:{}".format(*LOCUST)
        st.markdown(f"For more load, use [Locust]({address}), which `make loadtest UI=1` has started.")


def _has_changed(is_running: bool) -> bool:
    """Return once that a load has started or ended: then the page runs again and sets whether this part ticks."""
    before = st.session_state.get("live-load-runs", is_running)
    st.session_state["live-load-runs"] = is_running
    return bool(before != is_running)


def _zone() -> tzinfo:
    """Return the time zone of the browser, which the charts use, too."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


main()
