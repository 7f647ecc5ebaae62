"""The Batch page: read many pictures, or one, from files, a folder or a ZIP file, with a table of the results."""

from pathlib import Path

import streamlit as st

from dashboard.batch import batch_html
from dashboard.batch.batch_job import Job, unread
from dashboard.batch.results_view import show_results
from dashboard.batch.session_batch import Batch, current, replace, resume, start
from dashboard.batch.uploads import LIMITS, MOST_FILES, TYPES
from dashboard.shared import answer_html, server_watch, ticking
from dashboard.shared.answer_panel import show_answer, show_picture
from dashboard.shared.clicked import clicked
from dashboard.shared.endpoint import FALLBACK, Endpoint
from dashboard.shared.kept import kept
from dashboard.shared.recogniser_choice import available_endpoints, choose_recogniser
from handwriting.labels import LABELS

CSS = Path(__file__).with_name("batch.css")
FILES, FOLDER = "Files or ZIP", "Folder"
CHANGED = "batch-changed"
TICK_S = 0.5
CANCEL_S = 1.0  # a cancelled batch ends within this


def main() -> None:
    """Show what to read and with which recogniser, and the results."""
    st.html(CSS)
    with st.container(horizontal=True, vertical_alignment="top"):
        endpoints = [each for each in available_endpoints() if not each.reads_pages] or [FALLBACK]
        endpoint = choose_recogniser(endpoints, "batch-recogniser", width=220)
        kind = st.segmented_control("Upload", [FILES, FOLDER], required=True, **kept("batch-kind", FILES))
    _choose_files(folder=kind == FOLDER)
    batch = current()
    if batch is None:
        hint = batch_html.folder_hint(LABELS.get(endpoint.model, LABELS["digits"]))
        st.html(answer_html.note(f"Choose pictures of one character each. Reading starts immediately. {hint}"))
    elif not batch.upload.entries:
        st.html(batch_html.section("<p>No pictures found.</p>" + batch_html.skipped(batch.upload)))
    elif len(batch.upload.entries) == 1 and isinstance(picture := batch.upload.entries[0].picture, bytes):
        left, right = st.columns(2, gap="medium")
        with left:
            show_picture(picture)
        with right:
            show_answer(picture, endpoint, batch.upload.entries[0].name)
    else:
        _show_batch(batch, endpoint)


def _choose_files(folder: bool) -> None:
    files = st.file_uploader(
        "A folder of pictures" if folder else "Pictures, or ZIP files of them",
        list(TYPES),
        accept_multiple_files="directory" if folder else True,
        key=f"batch-files-{folder}",
        on_change=_note_change,
    )
    st.html(f'<p class="ink-source">{LIMITS}</p>')
    if len(files) > MOST_FILES:
        st.html(
            answer_html.remark(
                f"{len(files):,} files have arrived. If you chose more, the browser could not send the others: "
                "put them into one ZIP file."
            )
        )
    if st.session_state.get(CHANGED):
        replace([(file.name, file.getvalue()) for file in files])
        st.session_state[CHANGED] = False  # not before: the run may be interrupted, and the next one has to do it


def _note_change() -> None:
    st.session_state[CHANGED] = True  # the list of files also becomes empty when the page is left, without a change


def _show_batch(batch: Batch, endpoint: Endpoint) -> None:
    if batch.job is None and server_watch.is_up():
        start(batch, endpoint)
    if batch.job is None:
        st.html(answer_html.note("Waiting for the server. The pictures are read when the server is back."))
        return
    if not batch.job.ended:
        ticking.show(_show_progress, TICK_S, batch.job)
        return
    with st.container(horizontal=True):
        if (left := len(unread(batch.job.results))) and clicked(
            f"Read the {left:,} without an answer", "read-rest", icon=":material/play_arrow:", type="primary"
        ):
            resume(batch)
            st.rerun()
        again = f"Read again with {endpoint}" if endpoint != batch.endpoint else "Read again"
        if clicked(again, "read-again", icon=":material/refresh:"):
            start(batch, endpoint)
            st.rerun()
    show_results(batch, batch.job)


def _show_progress(job: Job) -> None:
    """Show how far a batch is, and rerun the page at its end."""
    progress = job.progress()
    st.progress(progress.share, batch_html.progress_line(progress))
    # A callback runs before the page: a rerun caused by the banner would end before it reaches the button
    st.button("Cancel", icon=":material/close:", key="batch-cancel", on_click=job.cancel)
    if job.cancelled:
        job.wait(CANCEL_S)
    if job.ended:
        st.rerun()


main()
