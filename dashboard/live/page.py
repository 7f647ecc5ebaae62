"""Watch the server: throughput, latency, batches, errors and workers, and a small load to see them move."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import streamlit as st

from dashboard.live import charts, view
from dashboard.live.figures import TOO_FEW, Choice, Figures, choices, chosen, figures, points, slice_length
from dashboard.live.history import VARIABLE, History, HistoryError
from dashboard.live.load import MAX_RATE, MAX_SECONDS, Busy, LoadGenerator, Plan, listens
from dashboard.live.sampler import Event, Sample, Sampler
from dashboard.shared import connection

ROOT = Path(__file__).parents[2]
CSS = Path(__file__).with_name("live.css")
PICTURES = ROOT / "examples/digits"
WINDOWS = {"1 min": 60.0, "5 min": 300.0, "15 min": 900.0}
LONG_WINDOWS = {"1 h": 3600.0, "24 h": 86_400.0}  # Prometheus remembers them; a third would not fit a phone
REFRESHES = {"off": None, "1 s": 1.0, "2 s": 2.0, "5 s": 5.0}
FIRST_TICK_S = 1.0  # until there is something to show, also where the refresh is off
NO_SAMPLES = "The first samples come in within two seconds ..."
TOO_SHORT = "Fewer than two samples are remembered of this window yet; a shorter one may show more."
LOCUST = ("127.0.0.1", 8089)
LOOKS_PER_S = 1.5  # a little over the rate at which an open dashboard asks whether the server is there


def main() -> None:
    """Lay out the controls, the figures that refresh themselves, and the load."""
    st.html(CSS)
    sampler = _sampler(*(os.environ.get(name, "") for name in ("INKSERVE_METRICS_URL", "INKSERVE_MANAGEMENT_URL")))
    history = _history(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None
    window_s, refresh_s, choice = _controls(sampler, WINDOWS if history is None else WINDOWS | LONG_WINDOWS)
    if len(sampler.samples()) < 2 or sampler.fleet() is None:  # noqa: PLR2004
        refresh_s = refresh_s or FIRST_TICK_S
    st.fragment(_figures, run_every=refresh_s)(sampler, history, window_s, choice)
    generator = _generator()
    last = generator.last()
    st.fragment(_load, run_every=FIRST_TICK_S if last and last[1].is_running else None)(generator, sampler)


@st.cache_resource(show_spinner=False)
def _sampler(metrics_url: str, management_url: str) -> Sampler:
    """Start the one sampler of this process, which all sessions share and which a reload finds again."""
    return Sampler({"INKSERVE_METRICS_URL": metrics_url, "INKSERVE_MANAGEMENT_URL": management_url}).start()


@st.cache_resource(show_spinner=False)
def _history(url: str) -> History:
    """Return what all sessions ask Prometheus by."""
    return History(url)


@st.cache_resource(show_spinner=False)
def _generator() -> LoadGenerator:
    """Return the one load generator of this process."""
    return LoadGenerator([path.read_bytes() for path in sorted(PICTURES.glob("*.png"))])


def _controls(sampler: Sampler, windows: Mapping[str, float]) -> tuple[float, float | None, Choice]:
    offered = {each.name: each for each in choices(sampler.known_fleet())}
    st.session_state["live-offered"] = list(offered)
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        window = st.segmented_control("Window", list(windows), default="1 min", required=True, key="live-window")
        refresh = st.segmented_control("Refresh", list(REFRESHES), default="1 s", required=True, key="live-refresh")
        name = st.selectbox("Recogniser", list(offered), key="live-choice", width=240)
    return windows[window], REFRESHES[refresh], offered[name]


def _figures(sampler: Sampler, history: History | None, window_s: float, choice: Choice) -> None:
    """Show what the samples say now; this alone is run again at each refresh."""
    samples, events, source = _look(sampler, history, window_s)
    fleet = sampler.fleet()
    if [each.name for each in choices(sampler.known_fleet())] != st.session_state.get("live-offered"):
        st.rerun()  # the choice stands outside
    now = figures(samples, window_s, choice)
    if now is None:
        st.html(view.note(NO_SAMPLES if history is None else f"{TOO_SHORT} {source}"))
        return
    zone, end_s = _zone(), samples[-1].time_s
    start_s = end_s - window_s
    events = [event for event in events if event.time_s >= start_s]
    shown = None if fleet is None else chosen(fleet, choice)
    st.html(view.note(f"{_state(samples, zone)} {source}"))
    if hint := _hint(now, choice):
        st.html(view.note(hint))
    st.html(view.cards(now, shown))
    drawn = points(samples, window_s, choice)
    _charts(charts.frame(drawn, events, start_s, end_s), slice_length(window_s))
    left, right = st.columns(2, gap="medium")
    left.html(view.batches(now))
    right.html(view.errors(now))
    with st.expander("Numbers", icon=":material/table:", key="live-numbers"):
        st.html(view.numbers(now, shown))
        st.html(view.workers_table(shown or ()))
        st.html(view.events_list(events, zone))
        st.html(view.points_table(drawn, zone))


def _look(sampler: Sampler, history: History | None, window_s: float) -> tuple[list[Sample], list[Event], str]:
    """Return the samples, what changed, and where both are from."""
    own = sampler.samples(), sampler.events()
    if history is None:
        return *own, f"Source: {sampler.metrics_url}, which the dashboard reads each second."
    try:
        found = history.window(window_s)
    except HistoryError as err:
        return *own, f"Source: the dashboard's own samples, of 15 minutes at most, for {VARIABLE} is of no use: {err}."
    return found.samples, found.events, f"Source: Prometheus at {history.url}."


def _charts(data: pd.DataFrame, slice_s: float) -> None:
    st.html('<h2 class="live-heading">Over time</h2>')
    _chart(data, charts.throughput(), "live-throughput", "Requests per second")
    if data["ms"].notna().any():
        _chart(data, charts.quantiles(), "live-quantiles", "p50, p95 and p99 of the handler time")
    else:
        st.html(view.note(f"No handler times yet: there were never {TOO_FEW} batches in {view.duration(slice_s)}."))
    st.html(
        view.note(
            f"Each point tells of the {view.duration(slice_s)} before it; handler times only where there were "
            f"{TOO_FEW} batches in them. Dashed rules mark what changed."
        )
    )


def _chart(data: pd.DataFrame, specification: dict[str, Any], key: str, what: str) -> None:
    alt = f"{what} over time; the same numbers stand below, under Numbers."
    st.vega_lite_chart(data, specification, theme="streamlit", key=key, alt=alt)


def _state(samples: Sequence[Sample], zone: tzinfo) -> str:
    state = "The server is up" if samples[-1].is_up else "The server is down"
    since = view.duration(samples[-1].time_s - samples[0].time_s)
    return f"{state}. Sampled for {since}, last at {view.clock(samples[-1].time_s, zone)}."


def _hint(now: Figures, choice: Choice) -> str:
    """Return what to do while there is little to see."""
    invitation = "Draw one, or use the load below."
    if not now.requests:
        return f"No requests in this window. {invitation}"
    if choice.model in {"", connection.MODEL} and now.requests_per_s < LOOKS_PER_S:
        return (
            f"Hardly any requests in this window: each second the dashboard itself asks {connection.MODEL} whether "
            f"it is there, which is counted, too. {invitation}"
        )
    return ""


def _load(generator: LoadGenerator, sampler: Sampler) -> None:
    """Offer a load, and show the one that runs or ran last."""
    last = generator.last()
    runs = last is not None and last[1].is_running
    st.html('<h2 class="live-heading">A small load</h2>')
    st.html(view.note("Example pictures at a constant rate, sent by the dashboard itself, which shares the machine."))
    models = sorted({each.model for each in sampler.known_fleet()}) or [connection.MODEL]
    at = models.index(connection.MODEL) if connection.MODEL in models else 0
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        model = st.selectbox("Recogniser to ask", models, index=at, key="live-load-model", disabled=runs, width=200)
        rate = st.number_input("Requests/s", 1, MAX_RATE, 20, key="live-load-rate", disabled=runs, width=140)
        seconds = st.number_input("Seconds", 1, MAX_SECONDS, 10, key="live-load-seconds", disabled=runs, width=140)
        started = st.button("Send", icon=":material/play_arrow:", disabled=runs or not connection.is_up())
        stopped = st.button("Stop", icon=":material/stop:", disabled=not runs)
    if started:
        _start(generator, Plan(model, int(rate), int(seconds)))
    if stopped:
        generator.stop()
    if last is not None:
        st.html(view.load_result(*last))
    if _rerun_when_changed(runs):
        st.rerun()
    if listens(*LOCUST):
        address = "http://{}:{}".format(*LOCUST)
        st.markdown(f"More load, with charts of its own: [Locust]({address}), which `make loadtest UI=1` has started.")


def _start(generator: LoadGenerator, plan: Plan) -> None:
    try:
        generator.start(plan)
    except Busy:
        st.toast("Another session's load runs already.")
    st.rerun()


def _rerun_when_changed(runs: bool) -> bool:
    """Tell once that a load of any session has ended: the page around sets whether this part ticks."""
    before = st.session_state.get("live-load-runs", runs)
    st.session_state["live-load-runs"] = runs
    return before != runs


def _zone() -> tzinfo:
    """Return the visitor's time zone, in which the charts are, too."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


main()
