"""The recognisers that the server offers, and the box to choose one; the choice survives a change of page."""

from collections.abc import Sequence

import streamlit as st

from dashboard.shared.endpoint import FALLBACK, Endpoint
from dashboard.shared.loaded_versions import versions_or_empty
from inkserve.client.address import management_url

TTL_S = 5


def available_endpoints() -> Sequence[Endpoint]:
    """Return the loaded versions, or FALLBACK alone if the management API does not answer."""
    return _available(management_url())


def choose_recogniser(offered: Sequence[Endpoint], state: str, width: int) -> Endpoint:
    """Show a box to choose a recogniser.

    Args:
        offered: to choose from, at least one.
        state: under this name the session keeps the choice.
        width: of the box in px.
    """
    last = st.session_state.get(state, FALLBACK.model)
    index = next((i for i, each in enumerate(offered) if last in (str(each), each.model)), 0)
    chosen = st.selectbox("Recogniser", offered, index, lambda each: _label(each, offered), width=width)
    st.session_state[state] = str(chosen)
    return chosen


def _label(endpoint: Endpoint, offered: Sequence[Endpoint]) -> str:
    if endpoint.shares:
        return str(endpoint)
    if not endpoint.version:
        return f"{endpoint.model}, default version"
    has_others = sum(each.model == endpoint.model for each in offered) > 1
    return f"{endpoint}{' (default)' if has_others and endpoint.is_default else ''}"


@st.cache_data(ttl=TTL_S, max_entries=8, show_spinner=False)
def _available(url: str) -> Sequence[Endpoint]:  # noqa: ARG001 - the key of the cache
    return [Endpoint.of(each) for each in versions_or_empty()] or [FALLBACK]
