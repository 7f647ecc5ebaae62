"""Parts of a page that run again by themselves, as fragments of Streamlit, and lose nothing of the page.

Streamlit drops what a run of the page has not sent yet when a fragment's tick arrives just after the run's end: the
tick is given a runner of its own, and nobody listens to the former one any more (`AppSession` of streamlit 1.67). What
is lost may be the last elements of the page, or the timers themselves, so that a progress bar stands still until
somebody clicks. On a busy machine that is not rare. Here such a tick waits until the former run has been sent.
"""

from collections.abc import Callable
from typing import ParamSpec

import streamlit as st
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

P = ParamSpec("P")


def show(part: Callable[P, None], every_s: float | None, *args: P.args, **kwargs: P.kwargs) -> None:
    """Show a part of the page here, and again after each such time; None for only once, and when the page runs."""
    st.fragment(part, run_every=every_s)(*args, **kwargs)


def _after_the_former_run(create: Callable[[AppSession, RerunData], None]) -> Callable[[AppSession, RerunData], None]:
    """Wrap the method that gives a rerun a runner of its own."""

    def create_runner(session: AppSession, rerun: RerunData) -> None:
        former = session._scriptrunner

        def then() -> None:
            now = session._scriptrunner
            if now is None or now is former:
                create(session, rerun)
            elif not now.request_rerun(rerun):
                create_runner(session, rerun)

        if rerun.fragment_id and former is not None:
            session._call_soon_on_event_loop(then)
        else:
            create(session, rerun)

    create_runner.waits = True  # type: ignore[attr-defined]
    return create_runner


if not hasattr(AppSession._create_scriptrunner, "waits"):
    AppSession._create_scriptrunner = _after_the_former_run(AppSession._create_scriptrunner)  # type: ignore[method-assign]
