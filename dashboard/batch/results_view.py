"""The results of a batch: summary, accuracy with confusion matrix, a table with filters, and downloads."""

import html
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import sqrt

import pandas as pd
import streamlit as st

from dashboard.batch import batch_html
from dashboard.batch.batch_job import Job
from dashboard.batch.folder_accuracy import Cell, Score, in_cell, score
from dashboard.batch.labelling import label_one_by_one
from dashboard.batch.result_files import file_name, to_csv, to_json
from dashboard.batch.result_table import PAGE_ROWS, Order, Show, arrange, frame, pages, select
from dashboard.batch.session_batch import Batch, correct
from dashboard.shared.answer_html import count
from dashboard.shared.answer_panel import UNSURE, UNSURE_BELOW
from dashboard.shared.clicked import clicked
from dashboard.shared.kept import kept

ROW_PX, HEADER_PX, MOST_PX = 44, 36, 560
CELL_PX, INDEX_PX = 46, 70
ONE_BY_ONE, CELLS = (
    "batch-one-by-one",
    "batch-cells",
)  # in the session; the second counts cells that are not chosen any more
MOST_OPAQUE = 0.5  # of the cell with the most pictures
COLOURS = {"light": "39, 64, 139", "dark": "157, 180, 255"}


def show_results(batch: Batch, job: Job) -> None:
    """Show the results of a batch that has ended."""
    st.html(batch_html.outcome(job, batch.upload))
    found, cell = score(batch.from_folders, job.results), None
    if found:
        st.html(batch_html.accuracy(found))
        if len({label for pair in found.confusion for label in pair}) > 1:
            cell = _show_confusion(found, batch.labels, f"batch-confusion-{id(job)}-{st.session_state.get(CELLS, 0)}")
    _rows(batch, job, cell)
    _downloads(batch, job)


def _show_confusion(found: Score, labels: Sequence[str], key: str) -> Cell | None:
    """Show how often each label was read as each other, correct answers on the diagonal; return the chosen cell."""
    seen = {label for pair in found.confusion for label in pair}
    shown = [label for label in labels if label in seen]
    table = pd.DataFrame([[found.confusion[truth, label] for label in shown] for truth in shown], shown, shown)
    colour, most = COLOURS[st.context.theme.type or "light"], max(found.confusion.values())
    styled = table.style.format(lambda pictures: f"{pictures:,}" if pictures else "").map(
        lambda pictures: f"background-color: rgba({colour}, {MOST_OPAQUE * sqrt(pictures / most):.3f})"
    )
    narrow = {label: st.column_config.Column(width=CELL_PX, alignment="center") for label in shown}
    with st.expander("Confusion matrix", expanded=True):
        st.html('<p class="ink-source">Rows: the folder. Columns: read as. Choose a cell to see its pictures.</p>')
        event = st.dataframe(
            styled,
            column_config=narrow | {"_index": st.column_config.Column("Folder", width=INDEX_PX)},
            width="content",
            height=HEADER_PX * (len(shown) + 1) + 2,
            key=key,
            on_select="rerun",
            selection_mode="single-cell",
            alt=f"Confusion matrix: {found.right} of {found.read} pictures on the diagonal",
        )
        chosen = [(shown[row], column) for row, column in event["selection"]["cells"] if column in shown]
        if chosen:
            truth, label = map(html.escape, chosen[0])
            with st.container(horizontal=True, vertical_alignment="center"):
                st.html(f'<p class="ink-note">Only {truth} read as {label} is shown.</p>')
                st.button("Show all", key="batch-cell-none", on_click=_count, args=(CELLS,))
    return chosen[0] if chosen else None


def _count(key: str) -> None:
    st.session_state[key] = st.session_state.get(key, 0) + 1


def _show_one_by_one(wanted: bool) -> None:
    st.session_state[ONE_BY_ONE] = wanted  # not the opposite of now: a second click may come before the page changes


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
def _rows(batch: Batch, job: Job, cell: Cell | None) -> None:
    with st.container(horizontal=True, vertical_alignment="top"):
        rows_place = st.container(width="content")  # its counts depend on the threshold
        unsure_below = st.slider("Unsure below", 0.0, 1.0, step=0.05, width=150, **kept(UNSURE, UNSURE_BELOW))
        order = st.selectbox("Order", list(Order), width=200, **kept("batch-order", next(iter(Order))))
        one_by_one = st.session_state.setdefault(ONE_BY_ONE, False)
        # No switch: a key that is pressed after a click on one goes to it, and chooses no label
        said, icon = ("Show the table", "table") if one_by_one else ("Label one by one", "keyboard")
        st.button(
            said, icon=f":material/{icon}:", key="batch-view-other", on_click=_show_one_by_one, args=(not one_by_one,)
        )
        page_place = st.container(width="content")
    shows = [each for each in Show if each != Show.WRONG or any(batch.truths)]
    chosen = {each: select(each, job.results, batch.truths, unsure_below) for each in shows}
    if cell:
        inside = set(in_cell(batch.from_folders, job.results, cell))
        chosen = {each: [index for index in indexes if index in inside] for each, indexes in chosen.items()}
    show = rows_place.segmented_control(
        "Rows",
        shows,
        format_func=lambda each: f"{each} {len(chosen[each]):,}",
        required=True,
        **kept("batch-show", Show.ALL, shows),
    )
    if one_by_one and batch.labels:
        least_sure_first = arrange(chosen[show], job.results, Order.LEAST_SURE)
        label_one_by_one(batch, job, (id(job), show, unsure_below, cell), least_sure_first)
        return
    last, page = pages(len(chosen[show])), 1
    if last > 1:
        page = page_place.number_input(f"Page of {last:,}", 1, last, key=f"batch-page-{show}-{last}", width=130)
    key = (id(job), show, order, page, unsure_below, cell)
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
