"""The results of a batch: summary, accuracy with confusion matrix, a table with filters, and downloads."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.batch import batch_html
from dashboard.batch.batch_job import Job
from dashboard.batch.folder_accuracy import Score, score
from dashboard.batch.result_files import file_name, to_csv, to_json
from dashboard.batch.result_table import PAGE_ROWS, Order, Show, arrange, frame, pages, select
from dashboard.batch.session_batch import Batch, correct
from dashboard.shared.answer_html import count
from dashboard.shared.answer_panel import UNSURE, UNSURE_BELOW
from dashboard.shared.clicked import clicked
from dashboard.shared.kept import kept

ROW_PX, HEADER_PX, MOST_PX = 44, 36, 560
WITH_NUMBERS = 16  # labels at most: more numbers would not fit a phone
CELL_PX, SMALL_CELL_PX, AXIS_PX = 30, 14, 60
DENSE = 0.5  # of the darkest cell: from here on, numbers have the colour of the page
COLOURS = {"light": ("#27408b", "#1d2433", "#fbf8f1"), "dark": ("#9db4ff", "#ebe6da", "#14171f")}  # cell, ink, page


def show_results(batch: Batch, job: Job) -> None:
    """Show the results of a batch that has ended."""
    st.html(batch_html.outcome(job, batch.upload))
    found = score(batch.from_folders, job.results)
    if found:
        st.html(batch_html.accuracy(found))
        if len({label for pair in found.confusion for label in pair}) > 1:
            with st.expander("Confusion matrix", expanded=True):
                _show_confusion(found, batch.labels)
    _rows(batch, job)
    _downloads(batch, job)


def _show_confusion(found: Score, labels: Sequence[str]) -> None:
    """Draw how often each label was read as each other; correct answers are on the diagonal."""
    seen = {label for pair in found.confusion for label in pair}
    shown = [label for label in labels if label in seen]
    table = pd.DataFrame(
        [(truth, label, found.confusion[truth, label]) for truth in shown for label in shown],
        columns=["Folder", "Read as", "Pictures"],
    )
    cell, ink, page = COLOURS[st.context.theme.type or "light"]
    most = max(found.confusion.values())
    base = alt.Chart(table).encode(
        x=alt.X("Read as:N", sort=shown, axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("Folder:N", sort=shown, axis=alt.Axis(labelOverlap=False)),
        tooltip=["Folder", "Read as", "Pictures"],
    )
    squares = base.mark_rect(color=cell, stroke=page, strokeWidth=1).encode(
        opacity=alt.Opacity("Pictures:Q", scale=alt.Scale(type="sqrt", domain=[0, most], range=[0.04, 1]), legend=None)
    )
    numbers = base.mark_text(fontSize=11).encode(
        text=alt.Text("Pictures:Q", format="d"),
        color=alt.condition(alt.datum.Pictures > most * DENSE**2, alt.value(page), alt.value(ink)),
        opacity=alt.condition(alt.datum.Pictures > 0, alt.value(1), alt.value(0)),
    )
    numbered = len(shown) <= WITH_NUMBERS
    chart = squares + numbers if numbered else squares
    height = AXIS_PX + len(shown) * (CELL_PX if numbered else SMALL_CELL_PX)
    st.altair_chart(
        chart.properties(height=height), alt=f"Confusion matrix: {found.right} of {found.read} pictures on the diagonal"
    )


@dataclass
class View:
    """The rows in the table. They stay while labels are corrected, even if the filter no longer selects them.

    Attributes:
        key: filter, order and page that selected them.
        indexes: of the pictures.
        number: gives each view a table of its own, so that an edit never reaches other rows.
    """

    key: tuple[Hashable, ...]
    indexes: Sequence[int]
    number: int


@st.fragment
def _rows(batch: Batch, job: Job) -> None:
    with st.container(horizontal=True, vertical_alignment="top"):
        rows_place = st.container(width="content")  # its counts depend on the threshold
        unsure_below = st.slider("Unsure below", 0.0, 1.0, step=0.05, width=150, **kept(UNSURE, UNSURE_BELOW))
        order = st.selectbox("Order", list(Order), width=200, **kept("batch-order", next(iter(Order))))
        page_place = st.container(width="content")
    shows = [each for each in Show if each != Show.WRONG or any(batch.truths)]
    chosen = {each: select(each, job.results, batch.truths, unsure_below) for each in shows}
    show = rows_place.segmented_control(
        "Rows",
        shows,
        format_func=lambda each: f"{each} {len(chosen[each]):,}",
        required=True,
        **kept("batch-show", Show.ALL, shows),
    )
    last, page = pages(len(chosen[show])), 1
    if last > 1:
        page = page_place.number_input(f"Page of {last:,}", 1, last, key=f"batch-page-{show}-{last}", width=130)
    key = (id(job), show, order, page, unsure_below)
    view: View | None = st.session_state.get("batch-view")
    if view is None or view.key != key:
        indexes = arrange(chosen[show], job.results, order)[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
        view = st.session_state["batch-view"] = View(key, indexes, view.number + 1 if view else 0)
    if view.indexes:
        _table(batch, job, view)
    else:
        st.html('<p class="ink-note">No rows to show.</p>')


def _table(batch: Batch, job: Job, view: View) -> None:
    thumbnails, missing = batch.thumbnails.of(view.indexes)
    rows = frame(view.indexes, batch.upload.entries, job.results, thumbnails, batch.truths)
    if not rows["Error or note"].any():
        rows = rows.drop(columns="Error or note")
    key = f"batch-table-{view.number}"
    config = {
        "Picture": st.column_config.ImageColumn(width=60),
        "Read as": st.column_config.TextColumn(width=90),
        "Name": st.column_config.TextColumn(width="medium"),
        "Confidence": st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent", width=120),
        "Right label": st.column_config.SelectboxColumn(
            options=list(batch.labels), width=110, help="Double-click to correct"
        ),
        "Error or note": st.column_config.TextColumn(width="large"),
    }
    st.data_editor(
        rows,
        hide_index=True,
        disabled=[name for name in rows.columns if name != "Right label"],
        column_config=config,
        row_height=ROW_PX,
        height=min(MOST_PX, HEADER_PX + ROW_PX * len(rows) + 2),
        key=key,
        on_change=_correct,
        args=(batch, view, key),
        alt=f"Results of {count(len(rows), 'picture')}",
    )
    if missing and clicked(f"{count(missing, 'more thumbnail')}", "more-thumbnails", icon=":material/image:"):
        st.rerun(scope="fragment")


def _correct(batch: Batch, view: View, key: str) -> None:
    for row, cells in st.session_state[key]["edited_rows"].items():
        if "Right label" in cells:
            correct(batch, view.indexes[int(row)], cells["Right label"])


def _downloads(batch: Batch, job: Job) -> None:
    """Offer the files, which are made on request."""
    with st.container(horizontal=True):
        for kind, make, mime in (("CSV", to_csv, "text/csv"), ("JSON", to_json, "application/json")):
            st.download_button(
                f"All results as {kind}",
                lambda make=make: make(job, batch.truths),
                file_name(job, f".{kind.lower()}"),
                mime,
                on_click="ignore",
                icon=":material/download:",
            )
