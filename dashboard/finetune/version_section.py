"""The part of the Fine-tune page about a fine-tuned version: its accuracy, its rollout, and a comparison."""

from collections.abc import Hashable, Sequence

import streamlit as st

from dashboard.finetune import finetuned_html, rollout
from dashboard.finetune.finetuned import DrawingComparison, FineTuned, compare_on_drawings
from dashboard.finetune.rollout import Stage, Task
from dashboard.shared import answer_html, server_watch, ticking
from dashboard.shared.clicked import clicked
from dashboard.shared.kept import kept
from dashboard.shared.loaded_versions import management, model_store
from inkserve import RecogniserError
from inkserve.client.address import server_url
from inkserve.management import ModelVersion
from training.drawing_store import Store

TICK_S = 0.5
DELETE = "finetuned-delete"  # key of the checkbox
COMPARED = 500  # of the drawings kept last
KEPT_ARCHIVE = "An archive that stays in the model store is loaded at the next start, but not as the default."


@st.cache_resource(show_spinner=False)
def _task() -> Task:
    return Task()


@st.cache_resource(show_spinner=False)
def _comparisons() -> dict[Hashable, DrawingComparison]:
    return {}


def show_versions(found: Sequence[FineTuned], loaded: Sequence[ModelVersion], store: Store) -> None:
    """Show a fine-tuned version and its actions: the latest one, or the selected one.

    Args:
        found: the fine-tuned versions, the latest first.
        loaded: what the server has loaded, empty if it does not answer.
        store: has the drawings.
    """
    shown = found[0]
    if len(found) > 1:
        named = {str(each.tuned): each for each in found}
        choice = kept("finetuned-version", str(shown.tuned), named)
        shown = named[st.selectbox("Fine-tuned versions", list(named), width=220, **choice)]
    stage = rollout.stage_of(shown, loaded)
    with st.container(border=True, key="ink-finetuned"):
        st.html(finetuned_html.report(shown, stage if loaded else None))
        if not loaded:
            st.html(answer_html.remark("The server does not list its versions. The actions appear when it does."))
            server_watch.retry_soon()
        elif _task().is_running():
            ticking.show(_show_progress, TICK_S)
        else:
            if (outcome := _task().outcome) and _task().subject == str(shown.tuned):
                (st.success if outcome[0] else st.error)(outcome[1])
            _actions(shown, stage)
        if stage is not Stage.NOT_LOADED and rollout.is_loaded(shown.base, loaded):
            _compare(shown, store)


def _actions(shown: FineTuned, stage: Stage) -> None:
    """Offer the actions of a stage. They run before the page, so a second click finds the task running."""
    with st.container(horizontal=True, gap="small"):
        if stage is Stage.NOT_LOADED:
            label = f"Load {shown.tuned} beside {shown.base.version}"
            st.button(label, icon=":material/add:", on_click=_load, args=(shown,))
            return
        if stage is Stage.BESIDE:
            label, action = f"Promote {shown.tuned}", {"on_click": _promote, "args": (shown,)}
            if shown.forgot is None:
                st.button(label, icon=":material/star:", **action)
            else:
                with st.popover(label, icon=":material/star:"):
                    st.write(finetuned_html.NOT_RECOMMENDED.format(shown.forgot.set))
                    st.button("Promote it all the same", **action)
        is_default = stage is Stage.DEFAULT
        with st.popover("Roll back" if is_default else "Unload", icon=":material/undo:"):
            st.write(f"{_after_rollback(shown, is_default)} The weights are kept, so it can be loaded again.")
            if not st.checkbox("Delete the archive, too", help=KEPT_ARCHIVE, **kept(DELETE, True)):
                st.caption(KEPT_ARCHIVE)
            label = f"Roll back to {shown.base}" if is_default else f"Unload {shown.tuned}"
            st.button(label, icon=":material/undo:", on_click=_roll_back, args=(shown, is_default))


def _after_rollback(shown: FineTuned, was_default: bool) -> str:
    unloaded = f"{shown.tuned} is unloaded."
    return f"{shown.base} is the default again, and {unloaded}" if was_default else unloaded


def _load(shown: FineTuned) -> None:
    api, archives = management(), model_store()
    done = f"{shown.tuned} is loaded. The default version is the same as before."
    _task().start(str(shown.tuned), f"Loading {shown.tuned} ...", done, lambda: rollout.load(shown, api, archives))


def _promote(shown: FineTuned) -> None:
    api = management()
    done = f"{shown.tuned} is the default, also after a restart."
    _task().start(str(shown.tuned), f"Promoting {shown.tuned} ...", done, lambda: rollout.promote(shown, api))


def _roll_back(shown: FineTuned, was_default: bool) -> None:
    api, archives = management(), model_store()
    delete = bool(st.session_state[DELETE])  # its current value, which the page may not have run with yet
    _task().start(
        str(shown.tuned),
        f"Unloading {shown.tuned} ...",
        _after_rollback(shown, was_default),
        lambda: rollout.roll_back(shown, api, archives, delete),
    )


def _show_progress() -> None:
    if not _task().is_running():
        st.rerun()
    st.html(finetuned_html.working(_task().title))


def _compare(shown: FineTuned, store: Store) -> None:
    drawings = store.latest(COMPARED)
    labels = tuple((each.id, each.label) for each in drawings)
    key = (server_url(), shown.weights, shown.weights.stat().st_mtime_ns, labels)
    if clicked("Compare on the kept drawings", "compare-kept", icon=":material/compare_arrows:"):
        try:
            with st.spinner("Both versions read the drawings ...", show_time=True):
                _comparisons()[key] = compare_on_drawings(shown, drawings)
        except RecogniserError as err:
            st.error(f"The comparison failed: {err}")
    if compared := _comparisons().get(key):
        st.html(finetuned_html.comparison(shown, compared))
