"""Parts of a page that run again by themselves; their timers start when the rest of the page is there.

Streamlit drops what a run of the page has not sent yet when a fragment's tick arrives just after the run's end: the
tick is given a runner of its own, and nobody listens to the former one any more (`AppSession` of streamlit 1.67). What
is lost may be the last elements of the page, or the timers themselves, so that a progress bar stands still until
somebody clicks. On a busy machine that is not rare. A tick comes a second after its timer has been sent, so a timer
that is sent last loses nothing. A part with buttons beside a ticking one ticks, too: what its click has drawn may be
lost in the same way, and is there at the next tick.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

import streamlit as st

PARTS = "ticking-parts"
P = ParamSpec("P")


@contextmanager
def page() -> Iterator[None]:
    """Run a page, and then show its ticking parts, also if the page has failed: it may be right at the next run."""
    st.session_state[PARTS] = []
    try:
        yield
    except Exception:
        _start()
        raise
    _start()


def show(part: Callable[P, None], every_s: float | None, *args: P.args, **kwargs: P.kwargs) -> None:
    """Show a part of the page here, and again after each such time; None for only once, and when the page runs.

    It runs after the rest of the page. Parts that take long come last.
    """
    st.session_state[PARTS].append((st.container(), part, every_s, args, kwargs))


def _start() -> None:
    for place, part, every_s, args, kwargs in st.session_state.pop(PARTS):
        with place:
            st.fragment(part, run_every=every_s)(*args, **kwargs)
