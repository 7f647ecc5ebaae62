"""Whether the server answers: looks shared by all sessions, the banner, and the page's rerun when that changes."""

import html
import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from dashboard.shared import ticking
from inkserve.client.address import server_url
from inkserve.readiness import Readiness, VersionReadiness, read_readiness

NO_BANNER = "<span hidden></span>"
TICK_S = 1.0  # time between two looks of an open page; bounds the delay of banner and recovery
LOOK_TTL_S = 0.9  # less than a tick, so that each tick has a new look, however many sessions are open
LOOK_TIMEOUT_S = (0.5, 2.0)  # connect, read
MISSES = 3  # looks in a row without an answer in time before the banner: a busy server may miss one
AGAIN = "This page asks again every second."


@dataclass(frozen=True)
class Look:
    """What the looks at a server have found.

    Attributes:
        readiness: what it said of itself last. A server that does not answer in time may be busy, so that this stays
            for its first misses.
        versions: the loaded ones, as it named them last.
        misses: how many looks in a row it has not answered in time.
        answered_s: when it answered last, in s of `time.monotonic`; None if it never did.
    """

    readiness: Readiness
    versions: tuple[VersionReadiness, ...] = ()
    misses: int = 0
    answered_s: float | None = None

    @property
    def serving(self) -> Collection[tuple[str, str]]:
        """The models and versions that have a worker that takes requests."""
        return {(each.model, each.version) for each in self.readiness.versions if each.ready_workers}

    def then(self, found: Readiness) -> "Look":
        """Return the look after this one."""
        if found.answers:
            return Look(found, found.versions, 0, time.monotonic())
        misses = self.misses + 1 if found.is_silent else 0
        is_kept = self.serving and 0 < misses < MISSES
        return replace(self, readiness=self.readiness if is_kept else found, misses=misses)


def watch() -> None:
    """Look once for the page below, and again every TICK_S while it is open."""
    _look()
    for each in ("retry", "awaited", "followed"):  # the page runs now
        st.session_state.pop(each, None)
    ticking.show(_keep_looking, TICK_S)


def _keep_looking() -> None:
    """Show one banner while nothing is served, and rerun the page when that changes, or what it waits for is there.

    As a fragment it leaves the rest of the page, such as a drawing, as it is.
    """
    was_up = is_up()
    look = _look()
    # There is always an element here, so that the page does not move when the banner appears
    st.html(NO_BANNER if look.serving else banner(look, server_url()))
    awaited = st.session_state.get("awaited")
    is_there = awaited is not None and is_up() and not _why_not(*awaited)
    has_changed = st.session_state.get("followed", (workers := _workers(look))) != workers
    is_due = is_up() and time.monotonic() > st.session_state.get("retry", math.inf)
    if is_up() != was_up or is_there or has_changed or is_due:
        st.rerun()


def is_up() -> bool:
    """Whether this session's last look found a recogniser that takes requests."""
    return bool(_seen().serving)


def loaded() -> tuple[VersionReadiness, ...]:
    """Return the loaded versions; while the server does not answer, those that it named last."""
    return _seen().versions


def why_not(model: str, version: str = "") -> str:
    """Return why a recogniser cannot answer now although others can, as a sentence for people, or "".

    The page runs again when it can.

    Args:
        model: name of the recogniser.
        version: MAJOR.MINOR, or "" for any.
    """
    reason = _why_not(model, version)
    if reason:
        st.session_state["awaited"] = (model, version)
    return reason


def _why_not(model: str, version: str) -> str:
    look, wanted = _seen(), (model, version or None)
    if not look.serving or any(wanted in {served, (served[0], None)} for served in look.serving):
        return ""
    name = f"{model} {version}".strip()
    if any(each.model == model and version in {"", each.version} for each in look.readiness.versions):
        return f"{name} has no worker that takes requests now. The answer appears here when it has one."
    return f"{name} is not loaded on this server. Choose another recogniser, or load it on the Models page."


def follow_workers() -> None:
    """Run the page again when a version is loaded or unloaded, or the number of its workers changes."""
    st.session_state["followed"] = _workers(_seen())


def _workers(look: Look) -> Sequence[tuple[str, str, int, int]]:
    return [(each.model, each.version, each.ready_workers, each.wanted_workers) for each in look.readiness.versions]


def retry_soon() -> None:
    """Rerun the page at the next tick at which the server is ready, not at the one that ends this run."""
    st.session_state["retry"] = time.monotonic() + TICK_S / 2


@st.cache_data(ttl=LOOK_TTL_S, max_entries=8, show_spinner=False)
def look_at(url: str) -> Look:
    """Look at a server, unless another session has just done so."""
    looks = _last_looks()
    looks[url] = looks.get(url, Look(Readiness(""))).then(read_readiness(url, LOOK_TIMEOUT_S))
    return looks[url]


@st.cache_resource(show_spinner=False)
def _last_looks() -> dict[str, Look]:
    return {}


def _look() -> Look:
    look: Look = look_at(server_url())
    st.session_state["look"] = look
    return look


def _seen() -> Look:
    look: Look = st.session_state.get("look") or _look()
    return look


def banner(look: Look, url: str) -> str:
    """Return the banner that says why nothing is served, as HTML."""
    found = look.readiness
    where = f"<span>{html.escape(url)}: {html.escape(found.reason)}.</span>"
    if found.is_silent:
        title = "The recognition server does not answer in time."
        last_s = None if look.answered_s is None else time.monotonic() - look.answered_s
        heard = "" if last_s is None else f"It answered {last_s:.0f} s ago, and may be busy with many pictures. "
        detail = f"<span>{html.escape(url)}: {heard}{AGAIN}</span>"
    elif not found.answers:
        title = "The recognition server does not answer."
        detail = f"{where} <span>Start it with <code>make up</code>. {AGAIN}</span>"
    elif found.versions:
        title = "The recognition server is not ready yet."
        detail = f"{where} <span>It is starting, or its workers have died and start again. {AGAIN}</span>"
    else:
        title = "The recognition server has no recogniser loaded."
        detail = f"{where} <span>Load one on the Models page.</span>"
    return f'<div class="ink-banner" role="alert"><strong>{title}</strong> {detail}</div>'
