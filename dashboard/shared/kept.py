"""Widgets whose values the session keeps. Every widget with a value has a key and gets its default here.

A widget whose default is an argument changes its identity when that argument changes, and forgets what was chosen.
"""

from collections.abc import Collection, Hashable
from typing import Any

import streamlit as st


def kept(key: str, default: Hashable, options: Collection[Hashable] | None = None) -> dict[str, Any]:
    """Return arguments for a widget that keep its value in the session, also while another page is shown.

    Args:
        key: of the widget.
        default: its first value, and its next one when its value is no option any more.
        options: of the widget, if it has some.
    """
    if key not in st.session_state or (options is not None and st.session_state[key] not in options):
        st.session_state[key] = default
    return {"key": key, "persist_state": "session"}
