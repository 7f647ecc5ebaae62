"""The table of a batch: which rows are shown, in which order, and their cells and thumbnails."""

import time
from collections.abc import Sequence
from enum import StrEnum
from math import floor

import pandas as pd

from dashboard.batch.folder_accuracy import is_wrong
from dashboard.shared.answer_html import percent
from dashboard.shared.picture_html import thumbnail_url
from inkserve import Candidate, Prediction, RecogniserError
from inkserve.batch.sources import Entry
from inkserve.client.answers import Result
from inkserve.client.pictures import to_bytes

PAGE_ROWS = 200
FINENESS = 10_000  # confidences are rounded down to 1/FINENESS, so that none becomes 100 %
SIDE_PX = 64
THUMBNAILS_S = 1.5  # for the thumbnails of one page of the table; the missing ones are made on request
KEPT = 2000  # thumbnails, about 2 kB each


class Show(StrEnum):
    """The rows to show."""

    ALL = "All"
    UNSURE = "Unsure"
    ERRORS = "Errors"
    WRONG = "Wrong"


class Order(StrEnum):
    """Their order."""

    UPLOADED = "As uploaded"
    LEAST_SURE = "Lowest confidence first"
    SUREST = "Highest confidence first"


def select(
    show: Show, results: Sequence[Result | None], truths: Sequence[str | None], unsure_below: float
) -> list[int]:
    """Return the indexes of the rows to show; a picture without a result, as after a cancel, has no row.

    Args:
        show: filter.
        results: of all pictures.
        truths: their true labels, as far as they are known.
        unsure_below: confidence in [0, 1].
    """
    wanted = {
        Show.ALL: lambda _truth, _result: True,
        Show.UNSURE: lambda _truth, result: isinstance(result, Prediction) and result.confidence < unsure_below,
        Show.ERRORS: lambda _truth, result: isinstance(result, RecogniserError),
        Show.WRONG: is_wrong,
    }[show]
    pairs = enumerate(zip(truths, results, strict=True))
    return [index for index, (truth, result) in pairs if result is not None and wanted(truth, result)]


def arrange(indexes: Sequence[int], results: Sequence[Result | None], order: Order) -> list[int]:
    """Order rows by confidence; errors come last."""
    if order == Order.UPLOADED:
        return list(indexes)
    confidences = pd.Series([getattr(results[index], "confidence", None) for index in indexes], indexes, float)
    return list(confidences.sort_values(ascending=order == Order.LEAST_SURE, kind="stable").index)


def pages(rows: int) -> int:
    """Return how many pages there are, at least one."""
    return max(1, -(-rows // PAGE_ROWS))


def frame(
    indexes: Sequence[int],
    entries: Sequence[Entry],
    results: Sequence[Result | None],
    thumbnails: Sequence[str | None],
    truths: Sequence[str | None],
) -> pd.DataFrame:
    """Return the rows of a page of the table, one for each index."""
    columns = ["Picture", "Read as", "Right label", "Confidence", "Name", "Error or note", "Second", "Third"]
    rows = []
    for index, thumbnail in zip(indexes, thumbnails, strict=True):
        result, name = results[index], entries[index].name
        if isinstance(result, Prediction):
            confidence = floor(result.confidence * FINENESS) / FINENESS
            second, third = (*map(_candidate, result.top[1:3]), "", "")[:2]
            rows.append(
                (thumbnail, result.label, truths[index], confidence, name, "; ".join(result.notes), second, third)
            )
        else:
            error = f"{result.type}: {result.message}" if result else ""
            rows.append((thumbnail, "", truths[index], None, name, error, "", ""))
    return pd.DataFrame(rows, columns=columns)


def _candidate(candidate: Candidate) -> str:
    return f"{candidate.label} ({percent(candidate.probability)})"


class Thumbnails:
    """The thumbnails of a batch's pictures as data: URLs, made when they are shown."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._made: dict[int, str | None] = {}

    def of(self, indexes: Sequence[int]) -> tuple[list[str | None], int]:
        """Return thumbnails, None where there is none, and how many are still missing after THUMBNAILS_S."""
        if len(self._made) > KEPT:
            self._made = {index: self._made[index] for index in indexes if index in self._made}
        give_up = time.monotonic() + THUMBNAILS_S
        for index in indexes:
            if time.monotonic() > give_up:
                break
            if index not in self._made:
                self._made[index] = _thumbnail(self._entries[index])
        return [self._made.get(index) for index in indexes], sum(index not in self._made for index in indexes)


def _thumbnail(entry: Entry) -> str | None:
    try:
        return thumbnail_url(to_bytes(entry.picture), SIDE_PX)
    except RecogniserError:
        return None
