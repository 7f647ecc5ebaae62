"""The server's recognisers: what they are, how they are, and what can be done with them."""

import html
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.models.comparison import compare
from dashboard.models.traffic import show_traffic
from dashboard.shared import catalogue, connection, view
from dashboard.shared.fleet import Fleet, Version
from dashboard.shared.management import Management, ManagementError, describe, summary
from deploy.checksums import checked
from inkserve.client import RecogniserError
from inkserve.client.address import management_url
from inkserve.versions import ARCHIVE

MAX_WORKERS = 8
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "digits"


def main() -> None:
    """Show each version with what can be done with it, and below, two of them side by side."""
    management = Management(management_url())
    try:
        states = management.fleet()
    except ManagementError as err:
        st.html(view.note(f"The recognisers can't be listed: {err}."))
        connection.try_again_soon()
        return
    if outcome := st.session_state.pop("outcome", None):
        (st.success if outcome[0] else st.error)(outcome[1])
    for state in states:
        _show(management, state, alone=sum(each.model == state.model for each in states) == 1)
    _load(management, states)
    show_traffic(states)
    _side_by_side(states)


def _show(management: Management, state: Version, alone: bool) -> None:
    served = state.served
    with st.container(border=True, key=f"ink-model-{served.model}-{served.version}"):
        mark = '<span class="ink-mark">default</span>' if served.default and not alone else ""
        card = _card(management.url, served)
        st.html(
            f'<h2 class="ink-name">{html.escape(str(served))} {mark}</h2>'
            f'<p class="ink-note">{html.escape(summary(card))}</p><p>{html.escape(describe(state))}</p>'
        )
        with st.container(horizontal=True, gap="small"):
            with st.popover("Workers", icon=":material/memory:"):
                wanted = st.number_input(
                    "Workers", 1, MAX_WORKERS, max(1, state.wanted), key=f"workers-{served}", help="One for each core"
                )
                if st.button(f"Set {served} to {wanted}", key=f"scale-{served}"):
                    _do(f"{served} has {wanted} workers", lambda: management.scale(served, wanted))
            if not served.default:
                with st.popover("Make default", icon=":material/star:"):
                    st.write(f"Requests that name no version will then be answered by {served}.")
                    if st.button(f"Make {served} the default", key=f"default-{served}"):
                        _do(f"{served} is the default", lambda: management.make_default(served))
            with st.popover("Unload", icon=":material/eject:"):
                st.write(f"{served} answers no more until it is loaded again.")
                if st.button(f"Unload {served}", key=f"unload-{served}"):
                    _do(f"{served} is unloaded", lambda: management.unload(served))
        if card:
            with st.expander("Card"):
                st.json(card, expanded=1)


def _load(management: Management, states: Fleet) -> None:
    loaded = {f"{each.model}-{each.version}{ARCHIVE}" for each in states}
    good, errors = checked(catalogue.model_store())
    missing = [path.name for path in good if path.name not in loaded]
    with st.popover("Load an archive of the model store", icon=":material/add:"):
        if not missing:
            st.write("All archives of the model store that may be loaded are loaded.")
        elif (archive := st.selectbox("Archive", missing)) and st.button(f"Load {archive}"):
            _do(f"{archive} is loaded", lambda: management.load(archive))
        for error in errors:
            st.html(view.remark(f"Not to be loaded: {error}."))


def _do(done: str, action: Callable[[], None]) -> None:
    with st.spinner("The server works on it ...", show_time=True):
        try:
            action()
            st.session_state["outcome"] = (True, f"{done}.")
        except ManagementError as err:
            st.session_state["outcome"] = (False, f"That did not work: {err}")
    st.rerun()


def _side_by_side(states: Fleet) -> None:
    readers = [each.served for each in states if not each.served.reads_pages]
    if len(readers) < 2:  # noqa: PLR2004
        return
    st.html('<h2 class="ink-name">Side by side</h2><p class="ink-note">The same pictures through two recognisers.</p>')
    with st.container(horizontal=True, vertical_alignment="bottom"):
        start = next((i for i, each in enumerate(readers[:-1]) if each.model == connection.MODEL), 0)
        first = st.selectbox("First", readers, index=start, format_func=str, key="first", width=220)
        second = st.selectbox("Second", readers, index=start + 1, format_func=str, key="second", width=220)
        asked = st.button("Compare", icon=":material/compare_arrows:")
    files = st.file_uploader("Pictures (without any: our drawings)", accept_multiple_files=True, key="compared")
    if not asked:
        return
    pictures = {each.name: each.getvalue() for each in files} or {
        path.name: path.read_bytes() for path in sorted(EXAMPLES.glob("*.png"))
    }
    try:
        rows = compare(first, second, pictures)
    except RecogniserError as err:
        st.error(f"The comparison broke off: {err}")
        return
    apart = [row for row in rows if not row["agree"]]
    st.write(f"{len(rows) - len(apart)} of {len(rows)} pictures are read alike.")
    if apart:
        columns = {"picture": st.column_config.ImageColumn("picture"), "agree": None}
        columns |= {f"{each}, confidence": st.column_config.NumberColumn(format="percent") for each in (first, second)}
        st.dataframe(apart, column_config=columns, hide_index=True)


@st.cache_data(ttl=60, max_entries=64, show_spinner=False)
def _card(url: str, served: catalogue.Served) -> Mapping[str, Any]:
    try:
        return Management(url).card(served)
    except ManagementError:
        return {}


main()
