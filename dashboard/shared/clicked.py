"""A button whose click is not lost when the page is rerun before it reaches the button."""

import time
from typing import Any

import streamlit as st

FRESH_S = 10.0  # an older click, of a page that was left before it reached the button, does nothing


def clicked(label: str, key: str, **options: Any) -> bool:  # noqa: ANN401 - as st.button has them
    """Show a button, and tell whether it was clicked.

    The return value of `st.button` is true in one run only. If that run ends before it reaches the button, because the
    banner of `server_watch` reruns the page, the click is lost. A callback runs first, so the click is kept here.
    """
    name = f"clicked-{key}"
    st.button(label, key=key, on_click=_keep, args=(name,), **options)
    clicked_s: float | None = st.session_state.pop(name, None)
    return clicked_s is not None and time.monotonic() - clicked_s < FRESH_S


def _keep(name: str) -> None:
    st.session_state[name] = time.monotonic()
