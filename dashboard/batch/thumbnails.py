"""Small pictures for a table's rows, made when they are shown and kept while the batch is."""

import time
from collections.abc import Sequence

from dashboard.shared.preview import data_url, preview
from inkserve.batch.sources import Entry
from inkserve.client import RecogniserError
from inkserve.client.pictures import to_bytes

SIDE_PX = 64
PATIENCE_S = 1.5  # for the thumbnails of one page of the table: those of large photographs come at the next look
KEPT = 2000  # about 2 kB each


class Thumbnails:
    """The thumbnails of a batch's pictures, as data: URLs."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._made: dict[int, str | None] = {}

    def of(self, indexes: Sequence[int]) -> tuple[list[str | None], int]:
        """Return thumbnails, None for what cannot be shown, and how many are still missing after PATIENCE_S."""
        if len(self._made) > KEPT:
            self._made = {index: self._made[index] for index in indexes if index in self._made}
        give_up = time.monotonic() + PATIENCE_S
        for index in indexes:
            if time.monotonic() > give_up:
                break
            if index not in self._made:
                self._made[index] = thumbnail(self._entries[index])
        return [self._made.get(index) for index in indexes], sum(index not in self._made for index in indexes)


def thumbnail(entry: Entry) -> str | None:
    """Return a picture at most SIDE_PX wide and high, or None where it cannot be shown."""
    try:
        image = preview(to_bytes(entry.picture), SIDE_PX)
    except RecogniserError:
        return None
    return None if image is None else data_url(image)
