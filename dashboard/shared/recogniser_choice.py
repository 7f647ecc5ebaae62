"""The recognisers that the server offers, and the box to choose one; the choice survives a change of page."""

import re
from collections.abc import Sequence

import streamlit as st

from dashboard.shared.endpoint import FALLBACK, Endpoint
from dashboard.shared.kept import kept
from dashboard.shared.loaded_versions import versions_or_empty
from inkserve.client.address import management_url

TTL_S = 5
ADDRESSED = "model"  # parameter of the page's address that names a recogniser, with or without a version
VERSION = re.compile(r"[\w-]+ \d+\.\d+")


def available_endpoints() -> Sequence[Endpoint]:
    """Return the loaded versions; while the management API does not answer, those that it named last, or FALLBACK."""
    return _available(management_url()) or [FALLBACK]


def choose_recogniser(offered: Sequence[Endpoint], key: str, width: int) -> Endpoint:
    """Show a box to choose a recogniser; a version that was chosen and is not loaded any more stays the choice.

    Args:
        offered: to choose from, at least one.
        key: of the box.
        width: of the box in px.
    """
    wanted = st.session_state.get(key) or st.query_params.get(ADDRESSED, FALLBACK.model)
    named = {str(each): each for each in offered}
    start = next((name for name, each in named.items() if wanted in (name, each.model)), "")
    if not start and VERSION.fullmatch(wanted):
        named[wanted], start = Endpoint(*wanted.split(), is_default=False), wanted
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
    if not endpoint.version:
        return f"{endpoint.model}, default version"
    if endpoint not in offered:
        return f"{endpoint}, not loaded"
    has_others = sum(each.model == endpoint.model for each in offered) > 1
    return f"{endpoint}{' (default)' if has_others and endpoint.is_default else ''}"


@st.cache_data(ttl=TTL_S, max_entries=8, show_spinner=False)
def _available(url: str) -> Sequence[Endpoint]:
    last = _last_named()
    if versions := versions_or_empty():
        last[url] = [Endpoint.of(each) for each in versions]
    return last.get(url, [])


@st.cache_resource(show_spinner=False)
def _last_named() -> dict[str, Sequence[Endpoint]]:
    return {}
