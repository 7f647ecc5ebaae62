"""The Models page: the loaded versions with their cards and workers, loading, traffic splits, and a comparison."""

import html
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.models.cards import differences, summary
from dashboard.shared import answer_html, loaded_versions, server_watch
from dashboard.shared.clicked import clicked
from dashboard.shared.endpoint import FALLBACK, Endpoint
from dashboard.shared.kept import kept
from dashboard.shared.recogniser_comparison import compare
from dashboard.shared.traffic_split import show_traffic
from deploy.checksums import check_all
from inkserve import RecogniserError
from inkserve.management import Management, ManagementError, ModelApiOffError, ModelVersion
from inkserve.versions import ARCHIVE

MAX_WORKERS = 8
OUTCOME, LOAD = "outcome", "load"
OUTCOME_S = 60  # so long the outcome of an action is shown
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "digits"


def main() -> None:
    """Show each version with its actions, then traffic splits and the comparison of two versions."""
    server_watch.follow_workers()
    api = loaded_versions.management()
    try:
        loaded = api.versions()
    except ManagementError as err:
        st.html(answer_html.note(f"The recognisers cannot be listed: {err}."))
        server_watch.retry_soon()
        return
    loading_off = _loading_off(api.url)
    for version in loaded:
        is_only = sum(each.model == version.model for each in loaded) == 1
        _show(api, version, is_only, loading_off)
    _offer_to_load(api, loaded, loading_off)
    show_traffic(loaded)
    _compare(loaded)


def describe(version: ModelVersion) -> str:
    """Return the state of a version in a line."""
    batches = f"batches of up to {version.batch_size} within {version.batch_delay_ms} ms"
    ready = f"{version.ready_workers} of {answer_html.count(version.wanted_workers, 'worker')} ready"
    memory = f"{version.memory_mib:,.0f} MiB · " if version.memory_mib else ""
    return f"{ready} · {version.waiting} waiting · {memory}{batches}"


def _show(api: Management, version: ModelVersion, is_only: bool, loading_off: str) -> None:
    name, model, number = version.name, version.model, version.version
    with st.container(border=True, key=f"ink-model-{model}-{number}"):
        mark = '<span class="ink-mark">default</span>' if version.is_default and not is_only else ""
        card = _card(api.url, model, number)
        if not card and version.ready_workers:  # it was too busy to answer in time
            server_watch.retry_soon()
        st.html(
            f'<h2 class="ink-name">{html.escape(name)} {mark}</h2>'
            f'<p class="ink-note">{html.escape(summary(model, card))}</p><p>{html.escape(describe(version))}</p>'
        )
        with st.expander("Workers, default, unload"):
            _offer_changes(api, version, loading_off)
        _show_outcome(name)
        if card:
            with st.expander("Card"):
                st.json(card, expanded=1)


def _offer_changes(api: Management, version: ModelVersion, loading_off: str) -> None:
    """Offer what changes a version. In the page, not in a popover, which would cover the outcome, or be cut off."""
    name, model, number = version.name, version.model, version.version
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        wanted = st.number_input(
            "Workers",
            1,
            MAX_WORKERS,
            max(1, version.wanted_workers),
            key=f"workers-{name}",
            help="At most one for each core",
            width=140,
        )
        if clicked(f"Set {name} to {wanted}", f"scale-{name}", icon=":material/memory:"):
            _do(name, f"{name} has {answer_html.count(wanted, 'worker')}", lambda: api.scale(model, number, wanted))
    if not version.is_default:
        st.html(answer_html.remark(f"If it is the default, requests without a version go to {name} from then on."))
        if clicked(f"Make {name} the default", f"default-{name}", icon=":material/star:"):
            _do(name, f"{name} is the default", lambda: loaded_versions.make_default(api, model, number))
    if loading_off:
        st.html(answer_html.remark(f"It cannot be unloaded: {loading_off}."))
    else:
        st.html(answer_html.remark(f"Requests to an unloaded {name} fail until it is loaded again."))
    if clicked(f"Unload {name}", f"unload-{name}", icon=":material/eject:", disabled=bool(loading_off)):
        _do(LOAD, f"{name} is unloaded", lambda: api.unload(model, number))


def _offer_to_load(api: Management, loaded: Sequence[ModelVersion], loading_off: str) -> None:
    names = {f"{each.model}-{each.version}{ARCHIVE}" for each in loaded}
    valid, errors = check_all(loaded_versions.model_store())
    missing = [path.name for path in valid if path.name not in names]
    st.html('<h2 class="ink-name">Load an archive of the model store</h2>')
    if loading_off:
        st.html(answer_html.remark(f"{loading_off[:1].upper()}{loading_off[1:]}."))
    elif not missing:
        st.html(answer_html.remark("All valid archives of the model store are loaded."))
    else:
        with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
            archive = st.selectbox("Archive", missing, width=260, **kept("load-choice", missing[0], missing))
            if clicked(f"Load {archive}", "load-archive", icon=":material/add:"):
                _do(LOAD, f"{archive} is loaded", lambda: api.load(archive))
    for error in errors:
        st.html(answer_html.remark(f"Cannot be loaded: {error}."))
    _show_outcome(LOAD)


def _do(place: str, done: str, action: Callable[[], None]) -> None:
    """Do something, and show its outcome at the place of its button: a version's name, or LOAD."""
    with st.spinner("Waiting for the server ...", show_time=True):
        try:
            action()
            st.session_state[OUTCOME] = (place, st.success, f"{done}.", time.monotonic())
        except ManagementError as err:
            st.session_state[OUTCOME] = (place, st.error, f"Failed: {err}", time.monotonic())
    st.rerun()


def _show_outcome(place: str) -> None:
    outcome_place, show, message, since_s = st.session_state.get(OUTCOME, ("", st.error, "", 0.0))
    if outcome_place == place and time.monotonic() - since_s < OUTCOME_S:  # the page runs again when a worker is there
        show(message)


@st.cache_data(ttl=60, max_entries=8, show_spinner=False)
def _loading_off(url: str) -> str:
    """Return why the server does not load and unload while it runs, or ""."""
    try:
        with Management(url, timeout_s=loaded_versions.TIMEOUT_S) as api:
            api.check_loading()
    except ModelApiOffError as err:
        return str(err)
    return ""


def _compare(loaded: Sequence[ModelVersion]) -> None:
    endpoints = [each for each in map(Endpoint.of, loaded) if not each.reads_pages]
    if len(endpoints) < 2:  # noqa: PLR2004
        return
    st.html(
        '<h2 class="ink-name">Compare two recognisers</h2><p class="ink-note">Both read the same pictures, and the'
        " table shows where they disagree.</p>"
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        start = next((i for i, each in enumerate(endpoints[:-1]) if each.model == FALLBACK.model), 0)
        named = {str(each): each for each in endpoints}
        names = list(named)
        first = named[st.selectbox("First", names, width=220, **kept("first", names[start], names))]
        second = named[st.selectbox("Second", names, width=220, **kept("second", names[start + 1], names))]
        requested = clicked("Compare", "compare", icon=":material/compare_arrows:")
    url = loaded_versions.management().url
    cards = [_card(url, each.model, each.version) for each in (first, second)]
    if found := differences(*cards):
        with st.expander("What differs in their cards"):
            st.dataframe(
                [{"": name, str(first): one, str(second): other} for name, one, other in found], hide_index=True
            )
    files = st.file_uploader("Pictures (default: the examples)", accept_multiple_files=True, key="compared")
    if not requested:
        return
    pictures = {each.name: each.getvalue() for each in files} or {
        path.name: path.read_bytes() for path in sorted(EXAMPLES.glob("*.png"))
    }
    try:
        compared = compare(first, second, pictures)
    except RecogniserError as err:
        st.error(f"The comparison failed: {err}")
        return
    disagreements = [each for each in compared if not each.agrees]
    st.write(f"Both agree on {len(compared) - len(disagreements)} of {len(compared)} pictures.")
    if disagreements:
        rows = [
            {"picture": each.thumbnail, "name": each.name}
            | {str(first): each.labels[0], f"{first}, confidence": each.confidences[0]}
            | {str(second): each.labels[1], f"{second}, confidence": each.confidences[1]}
            for each in disagreements
        ]
        columns = {"picture": st.column_config.ImageColumn("picture")}
        columns |= {f"{each}, confidence": st.column_config.NumberColumn(format="percent") for each in (first, second)}
        st.dataframe(rows, column_config=columns, hide_index=True)


@st.cache_data(ttl=60, max_entries=64, show_spinner=False)
def _card(url: str, model: str, version: str) -> Mapping[str, Any]:
    try:
        with Management(url, timeout_s=loaded_versions.TIMEOUT_S) as api:
            return api.card(model, version)
    except ManagementError:
        return {}


if __name__ == "__main__":
    main()
