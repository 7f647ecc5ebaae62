"""Read many pictures, or one: files, a folder or a ZIP file, with a table of what was read."""

from pathlib import Path

import streamlit as st

from dashboard.batch import words
from dashboard.batch.job import unread
from dashboard.batch.page_inputs import choose
from dashboard.batch.page_progress import show_progress
from dashboard.batch.page_results import show_results
from dashboard.batch.page_state import Batch, current, resume, start
from dashboard.shared import connection, view
from dashboard.shared.catalogue import Served
from dashboard.shared.preview import preview
from dashboard.shared.reading import show_reading
from handwriting.labels import LABELS

CSS = Path(__file__).with_name("batch.css")
PREVIEW_PX = 640


def main() -> None:
    """Lay out what to read, by what, and what came of it."""
    st.html(CSS)
    served = choose()
    batch = current()
    if batch is None:
        hint = words.folder_hint(LABELS.get(served.model, LABELS["digits"]))
        st.html(view.note(f"Choose pictures of one character each. They are read at once. {hint}"))
    elif not batch.upload.entries:
        st.html(
            f'<section class="ink-batch" role="status"><p>Nothing to read.</p>{words.left_out(batch.upload)}</section>'
        )
    elif len(batch.upload.entries) == 1 and isinstance(batch.upload.entries[0].picture, bytes):
        _one(batch.upload.entries[0].picture, served)
    else:
        _many(batch, served)


def _one(picture: bytes, served: Served) -> None:
    """Show a single picture beside its reading."""
    left, right = st.columns(2, gap="medium")
    with left:
        place = st.empty()  # takes the last picture away at once, also where the new one can't be shown
        if (shown := preview(picture, PREVIEW_PX)) is not None:
            place.image(shown, alt="Your picture")
    with right:
        show_reading(picture, served)


def _many(batch: Batch, served: Served) -> None:
    if batch.job is None and connection.is_up():
        start(batch, served)
    if batch.job is None:
        st.html(view.note("Waiting for the server. The pictures are read as soon as it is back."))
        return
    if not batch.job.ended:
        show_progress(batch)
        return
    with st.container(horizontal=True):
        if (left := len(unread(batch.job.results))) and st.button(
            f"Read the {left:,} without an answer", icon=":material/play_arrow:", type="primary"
        ):
            resume(batch)
            st.rerun()
        again = f"Read again with {served}" if served != batch.served else "Read again"
        if st.button(again, icon=":material/refresh:"):
            start(batch, served)
            st.rerun()
    show_results(batch)


main()
