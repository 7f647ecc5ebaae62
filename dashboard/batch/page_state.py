"""The batch of a session: what was uploaded, what reads it, and what a person says that its pictures show."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from dashboard.batch.job import Job
from dashboard.batch.score import folder_label
from dashboard.batch.thumbnails import Thumbnails
from dashboard.batch.uploads import Upload, collect
from dashboard.shared.catalogue import Served
from handwriting.labels import LABELS
from inkserve.client import RecogniserError
from inkserve.client.bulk import BulkRecogniser
from inkserve.client.pictures import to_bytes
from inkserve.client.recogniser import Result

TIMEOUT_S = (1.0, 20.0)  # connect, read: 64 photographs take a worker seconds
SHORT_S = 0.3  # a batch that takes no longer shows no progress


@dataclass
class Batch:
    """One upload and its reading.

    Attributes:
        upload: the pictures.
        job: their reading, None until the server can be asked.
        served: what reads them.
        thumbnails: of the pictures.
        truths: what each picture shows, by its folder or as corrected.
        from_folders: the same by its folder alone: corrections are no fair sample.
    """

    upload: Upload
    job: Job | None = None
    served: Served | None = None
    thumbnails: Thumbnails = field(default_factory=lambda: Thumbnails([]))
    truths: list[str | None] = field(default_factory=list)
    from_folders: list[str | None] = field(default_factory=list)

    @property
    def labels(self) -> Sequence[str]:
        """The labels of what reads it."""
        return LABELS.get(self.served.model, ()) if self.served else ()


def current() -> Batch | None:
    """Return this session's batch; it survives a change of page."""
    return st.session_state.get("batch")


def replace(files: Sequence[tuple[str, bytes]]) -> None:
    """Take other files for the batch, or none."""
    batch = current()
    if batch and batch.job:
        batch.job.cancel()
    st.session_state["batch"] = Batch(collect(files)) if files else None


def start(batch: Batch, served: Served) -> None:
    """Begin to read a batch, from its first picture."""
    if batch.job:
        batch.job.cancel()
    entries = batch.upload.entries
    batch.served = served
    batch.thumbnails = Thumbnails(entries)
    batch.from_folders = [folder_label(entry.name, batch.labels) for entry in entries]
    batch.truths = list(batch.from_folders)
    _begin(batch)


def resume(batch: Batch) -> None:
    """Read the pictures that had no answer, with the same recogniser; what is read or corrected stays."""
    _begin(batch, batch.job.results)


def _begin(batch: Batch, earlier: Sequence[Result | None] = ()) -> None:
    served = batch.served
    recogniser = BulkRecogniser(served.model, version=served.version or None, timeout_s=TIMEOUT_S)
    batch.job = Job(batch.upload.entries, recogniser, earlier).start()
    batch.job.wait(SHORT_S)


def correct(batch: Batch, index: int, label: str | None) -> None:
    """Keep what a picture shows as a person says, in `corrections` also with its bytes, by their sha256."""
    corrections = st.session_state.setdefault("corrections", {})
    try:
        picture = to_bytes(batch.upload.entries[index].picture)
    except RecogniserError:
        return  # it cannot be read, so there is nothing to teach with
    batch.truths[index] = label
    digest = hashlib.sha256(picture).hexdigest()
    if label is None or label == batch.from_folders[index]:
        corrections.pop(digest, None)
    else:
        corrections[digest] = (label, picture)
