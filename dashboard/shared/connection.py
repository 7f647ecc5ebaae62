"""Whether the server can be asked now: a probe shared by all sessions, the banner, and the recovery."""

import html

import streamlit as st

from dashboard.shared import client
from inkserve.client.address import server_url

MODEL = "digits"
NO_BANNER = "<span hidden></span>"
TICK_S = 1.0  # how often an open page looks; bounds both the banner's delay and the recovery's
PROBE_TTL_S = 0.9  # under a tick, so that every tick sees a new probe, however many sessions are open


def watch() -> None:
    """Look once for the page below, and keep looking while it is open."""
    _look()
    st.session_state.pop("retry", None)  # the page runs now
    _keep_looking()


@st.fragment(run_every=TICK_S)
def _keep_looking() -> None:
    """Show one banner while the server is down, and rerun the page when that changes.

    It runs in every session each TICK_S without touching the page around it, so a drawing stays as it is.
    """
    was_up = is_up()
    _look()
    # An element of its own also while there is nothing to say: the page must not move when the banner comes
    st.html(NO_BANNER if is_up() else _banner(server_url(), st.session_state["fault"]))
    if is_up() != was_up or (is_up() and st.session_state.pop("retry", False)):
        st.rerun()


def is_up() -> bool:
    """Whether the last look of this session found the server ready."""
    return not st.session_state.get("fault", "")


def try_again_soon() -> None:
    """Have the page rerun at the next tick at which the server is ready."""
    st.session_state["retry"] = True


def _look() -> None:
    st.session_state["fault"] = _fault(MODEL, server_url())


@st.cache_data(ttl=PROBE_TTL_S, max_entries=8, show_spinner=False)
def _fault(model: str, url: str) -> str:
    return client.fault(model, url)


def _banner(url: str, fault: str) -> str:
    return (
        '<div class="ink-banner" role="alert">'
        "<strong>The recognition server is not answering.</strong> "
        f"<span>{html.escape(url)}: {html.escape(fault)}.</span> "
        "<span>Start it with <code>make up</code>. This page tries again by itself, every second.</span>"
        "</div>"
    )
