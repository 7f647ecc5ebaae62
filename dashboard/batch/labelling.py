"""Labels of a batch's pictures, one picture after the other, by key or by button."""

import html
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import streamlit as st

from dashboard.batch.batch_job import Job
from dashboard.batch.session_batch import Batch, correct
from dashboard.shared import answer_html
from dashboard.shared.label_buttons import label_buttons
from dashboard.shared.picture_html import thumbnail_url
from inkserve import Prediction, RecogniserError
from inkserve.client.pictures import to_bytes

SIDE_PX = 200


@dataclass
class Queue:
    """The pictures to label.

    Attributes:
        key: what chose them.
        indexes: of the pictures, in order.
        at: how many are behind.
        before: for each of those, the label that it had.
    """

    key: tuple[Hashable, ...]
    indexes: Sequence[int]
    at: int = 0
    before: list[str | None] = field(default_factory=list)


def label_one_by_one(batch: Batch, job: Job, key: tuple[Hashable, ...], indexes: Sequence[int]) -> None:
    """Show one picture with a button for each label; the others of `indexes` follow."""
    queue: Queue | None = st.session_state.get("batch-queue")
    if queue is None or queue.key != key:
        queue = st.session_state["batch-queue"] = Queue(key, list(indexes))
    total = len(queue.indexes)
    if queue.at >= total:
        st.html(answer_html.remark(f"All {total:,} have been shown. Corrected ones can be kept on the Fine-tune page."))
    else:
        _show(batch, job, queue)
        label_buttons(batch.labels, "ink-labels", _label, batch, queue)
    with st.container(horizontal=True):
        if queue.at < total:
            st.button(
                "Next",
                key="batch-next",
                icon=":material/arrow_forward:",
                shortcut="Right",
                on_click=_next,
                args=(batch, queue),
            )
        st.button(
            "Undo",
            key="batch-undo",
            icon=":material/undo:",
            shortcut="Backspace",
            disabled=not queue.before,
            on_click=_undo,
            args=(batch, queue),
        )


def _show(batch: Batch, job: Job, queue: Queue) -> None:
    index = queue.indexes[queue.at]
    result, truth = job.results[index], batch.truths[index]
    name = html.escape(batch.upload.entries[index].name)
    said = "could not be read"
    if isinstance(result, Prediction):
        said = f"read as <strong>{html.escape(result.label)}</strong>, {answer_html.percent(result.confidence)}"
    known = f"; right label {html.escape(truth)}" if truth else ""
    try:
        url = thumbnail_url(to_bytes(batch.upload.entries[index].picture), SIDE_PX)
    except RecogniserError:
        url = None
    image = f'<img src="{url}" alt="{name}">' if url else ""
    st.html(
        f'<figure class="ink-to-label">{image}<figcaption>{queue.at + 1:,} of {len(queue.indexes):,}: {name}, '
        f"{said}{known}</figcaption></figure>"
    )


def _label(batch: Batch, queue: Queue, label: str) -> None:
    index = queue.indexes[queue.at]
    _next(batch, queue)
    correct(batch, index, label)


def _next(batch: Batch, queue: Queue) -> None:
    queue.before.append(batch.truths[queue.indexes[queue.at]])
    queue.at += 1


def _undo(batch: Batch, queue: Queue) -> None:
    queue.at -= 1
    correct(batch, queue.indexes[queue.at], queue.before.pop())
