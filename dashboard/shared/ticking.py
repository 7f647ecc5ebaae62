"""Parts of a page that run again by themselves; their timers start when the rest of the page is there.

Streamlit drops what a run of the page has not sent yet when a fragment's tick arrives just after the run's end: the
tick is given a runner of its own, and nobody listens to the former one any more (`AppSession` of streamlit 1.67). What
is lost may be the last elements of the page, or the timers themselves, so that a progress bar stands still until
somebody clicks. On a busy machine that is not rare. A tick comes a second after its timer has been sent, so a timer
that is sent last loses nothing. A part with buttons beside a ticking one ticks, too: what its click has drawn may be
lost in the same way, and is there at the next tick.

Where a person's click runs the page, the browser stops the timers when it hears of that run. A tick that still comes
soon after the run's end was sent before, and the run may have been lost: the page runs again.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

import streamlit as st

PARTS = "ticking-parts"
RAN = "ticking-ran"  # by which thread the page has run, and when its run ended
SOON_S = 0.9  # the first tick of a timer comes later, as none is shorter than a second
P = ParamSpec("P")


@contextmanager
def page() -> Iterator[None]:
    """Run a page, and then show its ticking parts, also if the page has failed: it may be right at the next run."""
    st.session_state[PARTS] = []
    st.session_state.pop(RAN, None)
    try:
        yield
    except Exception:
        _start()
        raise
    _start()


def show(part: Callable[P, None], every_s: float | None, *args: P.args, **kwargs: P.kwargs) -> None:
    """Show a part of the page here, and again after each such time; None for only once, and when the page runs.

    It runs after the rest of the page. Parts that take long come last. Their buttons act in callbacks: the run that a
    click starts may be one of the page instead, in which `st.button` returns nothing of it.
    """
    st.session_state[PARTS].append((st.container(), part, every_s, args, kwargs))


def _start() -> None:
    for place, part, every_s, args, kwargs in st.session_state.pop(PARTS):
        with place:
            st.fragment(_unless_lost(part), run_every=every_s)(*args, **kwargs)
    st.session_state[RAN] = (threading.current_thread(), time.monotonic())


def _unless_lost(part: Callable[P, None]) -> Callable[P, None]:
    """Return a part that runs the page again instead, if the browser may not have got the page's last run."""

    @wraps(part)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        thread, ended_s = st.session_state.get(RAN, (threading.current_thread(), 0.0))
        # A tick that came before the end runs in the same thread, and loses nothing
        if thread is not threading.current_thread() and time.monotonic() - ended_s < SOON_S:
            st.rerun()
        part(*args, **kwargs)

    return run
