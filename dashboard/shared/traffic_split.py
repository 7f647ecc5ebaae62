"""A session's traffic splits between versions of a recogniser, which the Draw page offers beside the versions."""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.shared.clicked import clicked
from dashboard.shared.endpoint import Endpoint
from inkserve.management import ModelVersion

KEY = "splits"


def splits() -> Sequence[Endpoint]:
    """Return the splits of this session."""
    return list(st.session_state.get(KEY, {}).values())


def show_traffic(loaded: Sequence[ModelVersion]) -> None:
    """Offer to split the pictures between the versions of a recogniser that has several."""
    versions: dict[str, list[str]] = {}
    for each in loaded:
        versions.setdefault(each.model, []).append(each.version)
    several = {model: found for model, found in versions.items() if len(found) > 1}
    kept = st.session_state[KEY] = {  # without those of which a version is unloaded
        each.model: each for each in splits() if {*dict(each.shares)} <= {*several.get(each.model, ())}
    }
    if not several:
        return
    st.html(
        '<h2 class="ink-name">Split traffic</h2><p class="ink-note">Each version gets its share of the pictures; the'
        " same picture always goes to the same version.</p>"
    )
    model = st.selectbox("Recogniser to split", list(several), key="split-model", width=220)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        weights = {
            version: st.number_input(f"Weight of {version}", 0, 100, 1, key=f"weight-{model}-{version}", width=150)
            for version in several[model]
        }
        if clicked("Split", "split", icon=":material/call_split:", disabled=not sum(weights.values())):
            kept[model] = split(model, weights)
        if model in kept and clicked("Undo", "split-undo", icon=":material/undo:"):
            del kept[model]
            st.rerun()
    if model in kept:
        st.html(
            f'<p class="ink-note" role="status">The Draw page offers {kept[model]} in this session only. '
            "For all that a program sends, in Python:</p>"
        )
        st.code(f"Split({model!r}, {weights})", language="python")
        st.html(
            '<p class="ink-note">For everybody, let a balancer share requests between two servers, each with another '
            "default version; a function on AWS does it by itself (<code>other_weight</code>).</p>"
        )


def split(model: str, weights: Mapping[str, float]) -> Endpoint:
    """Return a split by weight; versions with weight 0 get no pictures."""
    total = sum(weights.values())
    shares = tuple((version, weight / total) for version, weight in weights.items() if weight)
    return Endpoint(model, "", is_default=False, shares=shares)
