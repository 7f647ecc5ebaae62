"""The recognisers that the server offers, and the box to choose one; the choice survives a change of page."""

import re
from collections.abc import Sequence

import streamlit as st

from dashboard.shared import server_watch
from dashboard.shared.endpoint import FALLBACK, Endpoint
from dashboard.shared.kept import kept

ADDRESSED = "model"  # parameter of the page's address that names a recogniser, with or without a version
NAME = re.compile(r"([\w-]{1,50})(?: (\d+\.\d+))?")  # of a recogniser, alone or with a version


def available_endpoints() -> Sequence[Endpoint]:
    """Return the loaded versions; while the server does not answer, those that it named last, or FALLBACK."""
    found = server_watch.loaded()
    return [Endpoint(each.model, each.version, each.is_default) for each in found] or [FALLBACK]


def choose_recogniser(offered: Sequence[Endpoint], key: str, width: int) -> Endpoint:
    """Show a box to choose a recogniser; one that was chosen and is not loaded any more stays the choice.

    Args:
        offered: to choose from, at least one.
        key: of the box.
        width: of the box in px.
    """
    chosen = st.session_state.get(key) or st.query_params.get(ADDRESSED, "")
    wanted = chosen or FALLBACK.model
    named = {str(each): each for each in offered}
    start = next((name for name, each in named.items() if wanted in (name, each.model)), "")
    if not start and (name := NAME.fullmatch(chosen)):
        named[chosen], start = Endpoint(name[1], name[2] or "", is_default=False), chosen
    st.session_state[key] = start or next(iter(named))
    name = st.selectbox(
        "Recogniser",
        list(named),
        format_func=lambda each: _label(named[each], offered),
        width=width,
        **kept(key, start),
    )
    st.query_params[ADDRESSED] = name
    return named[name]


def _label(endpoint: Endpoint, offered: Sequence[Endpoint]) -> str:
    if endpoint.shares:
        return str(endpoint)
    if endpoint not in offered:
        return f"{endpoint}, not loaded"
    if not endpoint.version:
        return f"{endpoint.model}, default version"
    has_others = sum(each.model == endpoint.model for each in offered) > 1
    return f"{endpoint}{' (default)' if has_others and endpoint.is_default else ''}"
