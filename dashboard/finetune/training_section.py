"""The part of the Fine-tune page that starts fine-tuning, and shows its progress and its end."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dashboard.finetune.finetune_process import FineTuning, Progress, missing
from dashboard.finetune.finetuned import WEIGHTS, finetuned_folder
from dashboard.shared import ticking
from dashboard.shared.kept import kept
from dashboard.shared.loaded_versions import model_store
from handwriting.labels import LABELS, NORMAL_FORMS
from inkserve.management import ModelVersion
from inkserve.versions import next_version, versions_in
from training.data import is_there
from training.drawing_store import Store

TICK_S = 1.0
FORMS = {"mnist": "make data", "emnist": 'make data ARGS="--emnist"'}  # data sets, and what downloads them
MODEL, BASE, EPOCHS = "finetune-model", "finetune-base", "finetune-epochs"  # keys of the inputs


@st.cache_resource(show_spinner=False)
def _process(folder: Path) -> FineTuning:
    return FineTuning(folder)


def current() -> FineTuning:
    """Return the fine-tuning of this process, which all sessions share."""
    return _process(finetuned_folder())


def show_training(store: Store, loaded: Sequence[ModelVersion]) -> None:
    """Offer to fine-tune a recogniser, and show the progress.

    Args:
        store: has the drawings.
        loaded: what the server has loaded, empty if it does not answer.
    """
    st.html(
        '<h2 class="ink-name">Fine-tune a recogniser</h2><p class="ink-note">Needs at least two labels with five'
        " drawings each. A fifth of the drawings is held out to measure accuracy. The result is a new version; no"
        " version is replaced.</p>"
    )
    if not show_needs():
        return
    running = current().is_running()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        models = [each for each in sorted(LABELS) if is_there(NORMAL_FORMS[each], "train")]
        default = "digits" if "digits" in models else models[0]
        model = st.selectbox("Recogniser", models, width=200, **kept(MODEL, default, models))
        bases = _bases(model)
        base = bases[_default(model, bases, loaded)] if bases else None
        st.selectbox("Base version", bases, width=130, **kept(f"{BASE}-{model}", base, bases))
        st.number_input("Epochs", 1, 50, width=140, **kept(EPOCHS, 8))
        st.button(
            "Fine-tune",
            icon=":material/school:",
            disabled=running or not bases,
            on_click=_start,  # runs before the page, so that a second click finds the button disabled
            args=(store, loaded),
        )
    if running:
        ticking.show(_show_progress, TICK_S)
    elif (ended := current()).outcome() is not None:
        if fault := ended.fault():
            st.error(f"No new version: {fault}.")
        else:
            left_out = ended.left_out()
            st.success(f"The new version is shown below.{f' Drawings {left_out}.' if left_out else ''}")
        _show_output(ended)


def show_needs() -> bool:
    """Say what fine-tuning needs and is not there, with the command that brings it, and tell whether it can start."""
    needs = [f"{package}: <code>make .venv/installed-dev</code> installs it" for package in missing()]
    there = [form for form in FORMS if is_there(form, "train")]
    needs += [
        f"the training data of {form.upper()}, to keep what was learned: <code>{FORMS[form]}</code> downloads it"
        for form in FORMS
        if form not in there
    ]
    if needs:
        st.html(
            '<p class="ink-note">For fine-tuning, this is missing here. Drawings can be kept already.</p><ul>'
            + "".join(f"<li>{need}</li>" for need in needs)
            + "</ul>"
        )
    return not missing() and bool(there)


def _bases(model: str) -> Sequence[str]:
    return versions_in(model, WEIGHTS, finetuned_folder())


def _default(model: str, bases: Sequence[str], loaded: Sequence[ModelVersion]) -> int:
    default = next((each.version for each in loaded if each.model == model and each.is_default), "")
    return bases.index(default) if default in bases else 0


def _start(store: Store, loaded: Sequence[ModelVersion]) -> None:
    # The current values: the click may arrive together with a change that the page has not run with yet
    model, epochs = st.session_state[MODEL], int(st.session_state[EPOCHS])
    bases = _bases(model)
    base = st.session_state.get(f"{BASE}-{model}") or bases[_default(model, bases, loaded)]
    known = [each.version for each in loaded if each.model == model]
    version = next_version(model, (WEIGHTS, finetuned_folder(), model_store()), known)
    current().start(model, store.url, "--base", base, "--version", version, "--epochs", str(epochs))


def _show_progress() -> None:
    running = current()
    if not running.is_running():
        st.rerun()
    progress = running.progress()
    st.progress(progress.done / progress.epochs if progress else 0.0, _line(progress))
    st.button("Stop", icon=":material/stop:", key="finetune-stop", on_click=running.stop)
    _show_output(running)


def _line(progress: Progress | None) -> str:
    if progress is None:
        return "Reading the drawings and the original data ..."
    if progress.done == progress.epochs:
        return "Measuring both versions ..."
    left = "" if progress.left_s is None else f", about {progress.left_s:.0f} s left; then both versions are measured"
    return f"Epoch {progress.done + 1} of {progress.epochs}{left}"


def _show_output(shown: FineTuning) -> None:
    with st.expander("Output"):
        st.code(shown.output() or "no output yet", language=None, wrap_lines=True)
