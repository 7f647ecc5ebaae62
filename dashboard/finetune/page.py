"""Drawings with their right labels, and what becomes of them: a taught version, compared, promoted or rolled back."""

from pathlib import Path

import streamlit as st

from dashboard.finetune.lessons import read_lessons, taught_folder
from dashboard.finetune.opened import opened_store
from dashboard.finetune.page_kept import show_kept, take_over_corrections
from dashboard.finetune.page_learning import show_learning
from dashboard.finetune.page_lesson import show_lessons
from dashboard.finetune.store import StoreError
from dashboard.shared import view
from dashboard.shared.fleet import Fleet
from dashboard.shared.management import Management, ManagementError
from inkserve.client.address import management_url

CSS = Path(__file__).with_name("finetune.css")


def main() -> None:
    """Show what is kept, what is being taught and what was: all read from disk and server, so it survives a reload."""
    st.html(CSS)
    try:
        store = opened_store()
        take_over_corrections(store)
        counts, found = store.counts(), read_lessons(taught_folder())
        if counts:
            show_kept(store, counts)
        else:
            st.html(view.remark("No drawings are kept yet. Draw one, and say under its answer what it is."))
        fleet = _fleet() if counts or found else ()
        if counts:
            show_learning(store, fleet)
        if found:
            show_lessons(found, fleet, store)
    except StoreError as err:
        st.html(view.refusal(f"The drawings can't be shown: {err}"))


def _fleet() -> Fleet:
    """Return what the server has; nothing if it does not say, which the banner explains."""
    try:
        return Management(management_url()).fleet()
    except ManagementError:
        return ()


main()
