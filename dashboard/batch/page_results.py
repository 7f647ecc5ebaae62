"""The results of a batch: what came of it, the table with its filters, and downloads."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.batch import words
from dashboard.batch.export import file_name, to_csv, to_json
from dashboard.batch.page_confusion import show_confusion
from dashboard.batch.page_state import Batch, correct
from dashboard.batch.score import score
from dashboard.batch.table import PAGE_ROWS, Order, Show, arrange, frame, pages, select

UNSURE_BELOW = 0.9
ROW_PX, HEADER_PX, MOST_PX = 44, 36, 560


def show_results(batch: Batch) -> None:
    """Show the results of a batch that has ended."""
    st.html(words.outcome(batch.job, batch.upload))
    found = score(batch.from_folders, batch.job.results)
    if found:
        st.html(words.accuracy(found))
        with st.expander("Confusion matrix", expanded=True):
            show_confusion(found, batch.labels)
    _rows(batch)
    _downloads(batch)


@dataclass
class View:
    """The rows that stand in the table: they stay while a person corrects them, whatever the filter says by then.

    Attributes:
        key: what they were chosen by.
        indexes: of the pictures.
        number: makes the table's key new for each view, so that edits never reach other rows.
    """

    key: tuple
    indexes: Sequence[int]
    number: int


@st.fragment
def _rows(batch: Batch) -> None:
    with st.container(horizontal=True, vertical_alignment="top"):
        rows_place = st.container(width="content")  # its counts depend on the threshold after it
        unsure_below = st.slider("Unsure below", 0.5, 1.0, UNSURE_BELOW, 0.01, width=150, key="batch-unsure")
        order = st.selectbox("Order", list(Order), width=180, key="batch-order")
        page_place = st.container(width="content")
    shows = [each for each in Show if each != Show.WRONG or any(batch.truths)]
    chosen = {each: select(each, batch.job.results, batch.truths, unsure_below) for each in shows}
    show = rows_place.segmented_control(
        "Rows", shows, default=Show.ALL, format_func=lambda each: f"{each} {len(chosen[each]):,}", key="batch-show"
    )
    show = show or Show.ALL
    count = pages(len(chosen[show]))
    page = 1
    if count > 1:
        page = page_place.number_input(f"Page of {count:,}", 1, count, key=f"batch-page-{show}-{count}", width=130)
    key = (id(batch.job), show, order, page, unsure_below)
    view: View | None = st.session_state.get("batch-view")
    if view is None or view.key != key:
        indexes = arrange(chosen[show], batch.job.results, order)[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
        view = st.session_state["batch-view"] = View(key, indexes, view.number + 1 if view else 0)
    if view.indexes:
        _table(batch, view)
    else:
        st.html(f'<p class="ink-note">No rows: {show.lower()} has none.</p>')


def _table(batch: Batch, view: View) -> None:
    thumbnails, missing = batch.thumbnails.of(view.indexes)
    rows = frame(view.indexes, batch.upload.entries, batch.job.results, thumbnails, batch.truths)
    if not rows["Error"].any():
        rows = rows.drop(columns="Error")
    key = f"batch-table-{view.number}"
    config = {
        "Picture": st.column_config.ImageColumn(width=60),
        "Name": st.column_config.TextColumn(width="medium"),
        "Confidence": st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent", width=120),
        "Right label": st.column_config.SelectboxColumn(
            options=list(batch.labels), width=110, help="Where it was read wrong: double-click, and choose"
        ),
        "Error": st.column_config.TextColumn(width="large"),
    }
    st.data_editor(
        rows,
        hide_index=True,
        disabled=[name for name in rows.columns if name != "Right label"],
        column_config=config,
        row_height=ROW_PX,
        height=min(MOST_PX, HEADER_PX + ROW_PX * len(rows) + 2),
        key=key,
        on_change=_keep_corrections,
        args=(batch, view, key),
        alt=f"Results of {words.count(len(rows), 'picture')}",
    )
    if missing and st.button(f"{words.count(missing, 'more thumbnail')}", icon=":material/image:"):
        st.rerun(scope="fragment")


def _keep_corrections(batch: Batch, view: View, key: str) -> None:
    for row, cells in st.session_state[key]["edited_rows"].items():
        if "Right label" in cells:
            correct(batch, view.indexes[int(row)], cells["Right label"])


def _downloads(batch: Batch) -> None:
    """Offer the files, which are made when they are asked for."""
    with st.container(horizontal=True):
        for kind, make, mime in (("CSV", to_csv, "text/csv"), ("JSON", to_json, "application/json")):
            st.download_button(
                f"All results as {kind}",
                lambda make=make: make(batch.job, batch.truths),
                file_name(batch.job, f".{kind.lower()}"),
                mime,
                on_click="ignore",
                icon=":material/download:",
            )
