"""The batch of a session: its pictures, the job that reads them, and their true labels."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from dashboard.batch.batch_job import Job
from dashboard.batch.folder_accuracy import folder_label
from dashboard.batch.result_table import Thumbnails
from dashboard.batch.uploads import Upload, collect
from dashboard.shared.endpoint import FALLBACK, Endpoint
from dashboard.shared.prepared_picture import digest
from handwriting.labels import LABELS
from inkserve import Recogniser, RecogniserError
from inkserve.client.pictures import to_bytes

TIMEOUT_S = (1.0, 20.0)  # connect, read: 64 photographs take a worker seconds
SHORT_S = 0.3  # a shorter batch shows no progress


@dataclass
class Batch:
    """One upload and its reading.

    Attributes:
        upload: the pictures.
        job: reads them; None until the server answers.
        endpoint: what they are sent to.
        thumbnails: of the pictures.
        truths: true labels, by folder or as corrected.
        from_folders: true labels by folder alone; corrected pictures are not a fair sample.
    """

    upload: Upload
    job: Job | None = None
    endpoint: Endpoint = FALLBACK
    truths: list[str | None] = field(default_factory=list)
    from_folders: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.thumbnails = Thumbnails(self.upload.entries)

    @property
    def labels(self) -> Sequence[str]:
        """The labels of the recogniser, none if they are not known."""
        return LABELS.get(self.endpoint.model, ())


def current() -> Batch | None:
    """Return this session's batch, which survives a change of page."""
    batch: Batch | None = st.session_state.get("batch")
    return batch


def replace(files: Sequence[tuple[str, bytes]]) -> None:
    """Replace the batch by other files, or by none."""
    batch = current()
    if batch and batch.job:
        batch.job.cancel()
    st.session_state["batch"] = Batch(collect(files)) if files else None


def start(batch: Batch, endpoint: Endpoint) -> None:
    """Read a batch from its first picture."""
    batch.endpoint = endpoint
    batch.from_folders = [folder_label(entry.name, batch.labels) for entry in batch.upload.entries]
    batch.truths = list(batch.from_folders)
    batch.job = None
    resume(batch)


def resume(batch: Batch) -> None:
    """Read the pictures without an answer, with the same recogniser; results and corrections are kept."""
    endpoint = batch.endpoint
    recogniser = Recogniser(endpoint.model, version=endpoint.version or None, timeout_s=TIMEOUT_S)
    earlier = batch.job.results if batch.job else ()
    batch.job = Job(batch.upload.entries, recogniser, earlier).start()
    batch.job.wait(SHORT_S)


def correct(batch: Batch, index: int, label: str | None) -> None:
    """Set the true label of a picture; the session's `corrections` keep it with the picture, by its digest."""
    corrections = st.session_state.setdefault("corrections", {})
    try:
        picture = to_bytes(batch.upload.entries[index].picture)
    except RecogniserError:
        return  # it cannot be decoded, so it is of no use for fine-tuning
    batch.truths[index] = label
    if label is None or label == batch.from_folders[index]:
        corrections.pop(digest(picture), None)
    else:
        corrections[digest(picture)] = (label, picture)
