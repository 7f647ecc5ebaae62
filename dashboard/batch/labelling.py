"""Labels of a batch's pictures, one picture after the other, by key or by button."""

import html
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import streamlit as st

from dashboard.batch.batch_job import Job
from dashboard.batch.session_batch import Batch, correct
from dashboard.shared import answer_html
from dashboard.shared.picture_html import thumbnail_url
from dashboard.shared.press_bar import Button, label_buttons, press_bar
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

    @property
    def shown(self) -> int | None:
        """Index of the picture to label now, None after the last."""
        return self.indexes[self.at] if self.at < len(self.indexes) else None


def label_one_by_one(batch: Batch, job: Job, key: tuple[Hashable, ...], indexes: Sequence[int]) -> None:
    """Show one picture with a button for each label; the others of `indexes` follow."""
    queue: Queue | None = st.session_state.get("batch-queue")
    if queue is None or queue.key != key:
        queue = st.session_state["batch-queue"] = Queue(key, list(indexes))
    others = [Button("Undo", "undo", ["Backspace"], "⌫", bool(queue.before))]
    if queue.shown is not None:
        _show(batch, job, queue, queue.shown)
        others.insert(0, Button("Next", "arrow_forward", ["ArrowRight"], "→"))
        rows = [label_buttons(batch.labels), others]
    else:
        count = len(queue.indexes)
        st.html(answer_html.remark(f"All {count:,} have been shown. Corrected ones can be kept on the Fine-tune page."))
        rows = [others]
    press_bar("ink-labels", rows, lambda name, shown: _press(batch, queue, name, int(shown) if shown else None))


def _show(batch: Batch, job: Job, queue: Queue, index: int) -> None:
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
        f'<figure class="ink-to-label" data-shown="{index}">{image}<figcaption>'
        f"{queue.at + 1:,} of {len(queue.indexes):,}: {name}, {said}{known}</figcaption></figure>"
    )


def _press(batch: Batch, queue: Queue, name: str, index: int | None) -> None:
    """Take a press that was made while the picture with this index was shown."""
    if name == "Undo":
        if queue.before:
            queue.at -= 1
            correct(batch, queue.indexes[queue.at], queue.before.pop())
    elif index in queue.indexes:
        if index == queue.shown:  # by a first press; a second one, made before the next picture was there, corrects it
            queue.before.append(batch.truths[index])
            queue.at += 1
        if name != "Next":
            correct(batch, index, name)
