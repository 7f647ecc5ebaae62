"""The split of a session's pictures between versions of a recogniser; Draw offers it beside the versions."""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.shared.catalogue import Served
from dashboard.shared.fleet import Fleet

KEY = "splits"


def splits() -> Sequence[Served]:
    """Return what this session splits."""
    return list(st.session_state.get(KEY, {}).values())


def show_traffic(states: Fleet) -> None:
    """Offer to split the pictures between the versions of a recogniser, where one has several."""
    versions: dict[str, list[str]] = {}
    for each in states:
        versions.setdefault(each.model, []).append(each.version)
    several = {model: found for model, found in versions.items() if len(found) > 1}
    kept: dict[str, Served] = st.session_state.setdefault(KEY, {})
    gone = [model for model, served in kept.items() if not {*dict(served.shares)} <= {*several.get(model, ())}]
    for model in gone:  # a version that had a share is unloaded
        del kept[model]
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
        if st.button("Split", icon=":material/call_split:", disabled=not sum(weights.values())):
            kept[model] = split(model, weights)
        if model in kept and st.button("Undo", icon=":material/undo:"):
            del kept[model]
            st.rerun()
    if model in kept:
        st.html(
            f'<p class="ink-note" role="status">Draw offers {kept[model]} in this session. The same in a program:</p>'
        )
        st.code(f"Split({model!r}, {weights})", language="python")


def split(model: str, weights: Mapping[str, float]) -> Served:
    """Return versions that share the pictures by weight; those of weight 0 get none."""
    total = sum(weights.values())
    shares = tuple((version, weight / total) for version, weight in weights.items() if weight)
    return Served(model, "", default=False, shares=shares)
