"""Whether the server answers: a check shared by all sessions, the banner, and the page's rerun on recovery."""

import html

import streamlit as st

from inkserve.client.address import server_url
from inkserve.readiness import read_readiness

MODEL = "digits"
NO_BANNER = "<span hidden></span>"
TICK_S = 1.0  # time between two checks of an open page; bounds the delay of banner and recovery
CHECK_TTL_S = 0.9  # less than a tick, so that each tick has a new result, however many sessions are open
CHECK_TIMEOUT_S = (0.5, 2.0)  # connect, read


def watch() -> None:
    """Check once for the page below, and again every TICK_S while it is open."""
    _check()
    st.session_state.pop("retry", None)  # the page runs now
    _keep_checking()


@st.fragment(run_every=TICK_S)
def _keep_checking() -> None:
    """Show one banner while the server is down, and rerun the page when that changes.

    As a fragment it leaves the rest of the page, such as a drawing, as it is.
    """
    was_up = is_up()
    _check()
    # There is always an element here, so that the page does not move when the banner appears
    st.html(NO_BANNER if is_up() else _banner(server_url(), st.session_state["fault"]))
    if is_up() != was_up or (is_up() and st.session_state.pop("retry", False)):
        st.rerun()


def is_up() -> bool:
    """Whether the last check of this session found the server ready."""
    return not st.session_state.get("fault", "")


def retry_soon() -> None:
    """Rerun the page at the next tick at which the server is ready."""
    st.session_state["retry"] = True


@st.cache_data(ttl=CHECK_TTL_S, max_entries=8, show_spinner=False)
def fault(model: str, url: str) -> str:
    """Return why a recogniser cannot answer now, or "". The server says so itself; no prediction is made."""
    return read_readiness(url, CHECK_TIMEOUT_S).fault(model)


def _check() -> None:
    st.session_state["fault"] = fault(MODEL, server_url())


def _banner(url: str, reason: str) -> str:
    return (
        '<div class="ink-banner" role="alert">'
        "<strong>The recognition server does not answer.</strong> "
        f"<span>{html.escape(url)}: {html.escape(reason)}.</span> "
        "<span>Start it with <code>make up</code>. This page retries every second.</span>"
        "</div>"
    )
