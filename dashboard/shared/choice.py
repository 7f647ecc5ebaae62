"""The choice of a recogniser and of how its answers are shown; it survives a change of page."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.models import traffic
from dashboard.shared.catalogue import Served
from dashboard.shared.management import Management, ManagementError
from inkserve.client.address import management_url

FALLBACK = Served("digits", "")  # what `make up` surely serves, where the management API does not say
TTL_S = 5
UNSURE_BELOW = 0.6
HEAT = 0.6


@dataclass(frozen=True)
class Shown:
    """How answers are shown.

    Attributes:
        unsure_below: less confidence than this is marked, in [0, 1].
        heat: opacity of what spoke for the label, in [0, 1]; 0 asks for none.
    """

    unsure_below: float = UNSURE_BELOW
    heat: float = 0.0


def choose() -> tuple[Served, Shown]:
    """Offer the server's recognisers, and how to show what they read."""
    found = [*_served(management_url()), *traffic.splits()]
    last = st.session_state.get("served", FALLBACK.model)
    names = [each.model if str(each) != last and each.default else str(each) for each in found]
    index = next((i for i, each in enumerate(found) if last in (str(each), names[i])), 0)
    with st.container(key="ink-choice", horizontal=True, vertical_alignment="bottom"):
        served = st.selectbox("Recogniser", found, index=index, format_func=lambda each: _label(each, found), width=260)
        st.session_state["served"] = str(served)
        with st.popover("How it is shown", icon=":material/tune:"):
            shown = _how(served)
    return served, shown


def _how(served: Served) -> Shown:
    kept: Shown = st.session_state.get("shown", Shown())
    unsure_below = st.slider("Unsure below", 0.0, 1.0, kept.unsure_below, 0.05, help="Answers under this are marked")
    heat = 0.0
    if not served.reads_pages:
        wanted = st.toggle("Show what spoke for the answer (Grad-CAM)", kept.heat > 0)
        opacity = st.slider("Its opacity", 0.1, 1.0, kept.heat or HEAT, 0.1, disabled=not wanted)
        heat = opacity if wanted else 0.0
    st.session_state["shown"] = Shown(unsure_below, heat or (kept.heat if served.reads_pages else 0.0))
    return Shown(unsure_below, heat)


def _label(served: Served, found: Sequence[Served]) -> str:
    several = sum(each.model == served.model for each in found) > 1 and not served.shares
    return f"{served}{' (default)' if several and served.default else ''}"


@st.cache_data(ttl=TTL_S, max_entries=8, show_spinner=False)
def _served(url: str) -> Sequence[Served]:
    try:
        return [each.served for each in Management(url).fleet()] or [FALLBACK]
    except ManagementError:
        return [FALLBACK]
