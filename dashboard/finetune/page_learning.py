"""Fine-tuning: what to teach, how far it is, and how it ended."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dashboard.finetune import lessons, tuning
from dashboard.finetune.store import Store
from dashboard.finetune.tuning import Progress, Tuning
from dashboard.shared import view
from dashboard.shared.catalogue import model_store
from dashboard.shared.fleet import Fleet
from handwriting.labels import LABELS
from inkserve.versions import next_version, versions_in

TICK_S = 1.0
MODEL, BASE, PASSES = "teach-model", "teach-base", "teach-passes"  # keys of what is chosen


@st.cache_resource(show_spinner=False)
def _tuning(folder: Path) -> Tuning:
    return Tuning(folder)


def current() -> Tuning:
    """Return the fine-tuning of this process, shared by all sessions."""
    return _tuning(lessons.taught_folder())


def show_learning(store: Store, fleet: Fleet) -> None:
    """Offer to teach a recogniser, and show how that goes.

    Args:
        store: holds the drawings.
        fleet: what the server has, empty if it does not say.
    """
    st.html(
        '<h2 class="ink-name">Teach a recogniser</h2><p class="ink-note">Of two labels or more, five drawings each.'
        " A fifth is kept aside to measure on; the new version stands beside the old one, and nothing is replaced.</p>"
    )
    if lacking := tuning.missing():
        packages = ", ".join(lacking)
        st.html(
            view.remark(f"Fine-tuning needs {packages}, which `make train` installs; then start the dashboard again.")
        )
        return
    running = current().is_running()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        models = sorted(LABELS)
        model = st.selectbox("Recogniser", models, index=models.index("digits"), width=200, key=MODEL)
        at_hand = _bases(model)
        st.selectbox("Go on from", at_hand, index=_default(model, at_hand, fleet), width=130, key=f"{BASE}-{model}")
        st.number_input("Passes", 1, 50, 8, width=140, key=PASSES)
        st.button(
            "Teach",
            icon=":material/school:",
            disabled=running or not at_hand,
            on_click=_start,  # before the page runs, so that a second click finds the button disabled
            args=(store, fleet),
        )
    if running:
        _keep_looking()
    else:
        _show_end()


def _bases(model: str) -> Sequence[str]:
    return versions_in(model, lessons.WEIGHTS, lessons.taught_folder())


def _default(model: str, at_hand: Sequence[str], fleet: Fleet) -> int:
    default = next((each.version for each in fleet if each.model == model and each.is_default), "")
    return at_hand.index(default) if default in at_hand else 0


def _start(store: Store, fleet: Fleet) -> None:
    # What is chosen now: the click may come together with a choice that the page has not run with yet
    model, epochs = st.session_state[MODEL], int(st.session_state[PASSES])
    at_hand = _bases(model)
    base = st.session_state.get(f"{BASE}-{model}") or at_hand[_default(model, at_hand, fleet)]
    served = [each.version for each in fleet if each.model == model]
    version = next_version(model, (lessons.WEIGHTS, lessons.taught_folder(), model_store()), served)
    current().start(model, store.url, "--base", base, "--version", version, "--epochs", str(epochs))


@st.fragment(run_every=TICK_S)
def _keep_looking() -> None:
    running = current()
    if not running.is_running():
        st.rerun()
    progress = running.progress()
    st.progress(progress.done / progress.epochs if progress else 0.0, _line(progress))
    st.button("Stop", icon=":material/stop:", key="teach-stop", on_click=running.stop)
    _show_output(running)


def _line(progress: Progress | None) -> str:
    if progress is None:
        return "Reading the drawings and the original data ..."
    if progress.done == progress.epochs:
        return "Measuring both versions ..."
    left = "" if progress.left_s is None else f", about {progress.left_s:.0f} s left, then both versions are measured"
    return f"Pass {progress.done + 1} of {progress.epochs}{left}"


def _show_end() -> None:
    ended = current()
    if ended.outcome() is None:
        return
    if fault := ended.fault():
        st.error(f"No new version: {fault}.")
    else:
        st.success("A new version has been made: see below.")
    _show_output(ended)


def _show_output(shown: Tuning) -> None:
    with st.expander("What it prints"):
        st.code(shown.output() or "nothing yet", language=None, wrap_lines=True)
