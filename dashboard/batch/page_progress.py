"""A batch in progress: a bar, the rate, the time left, and a way to stop it."""

import streamlit as st

from dashboard.batch.page_state import Batch
from dashboard.batch.words import progress_line

TICK_S = 0.5
CANCEL_S = 1.0  # a cancelled batch ends within this


@st.fragment(run_every=TICK_S)
def show_progress(batch: Batch) -> None:
    """Show how far the batch is, and rerun the page when it has ended."""
    job = batch.job
    progress = job.progress()
    st.progress(progress.share, progress_line(progress))
    # A callback, since a rerun that the banner asks for ends before it comes to the button
    st.button("Cancel", icon=":material/close:", key="batch-cancel", on_click=job.cancel)
    if job.cancelled:
        job.wait(CANCEL_S)
    if job.ended:
        st.rerun()
