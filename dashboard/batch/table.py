"""Which rows of a batch are shown, in which order, and what stands in them."""

from collections.abc import Sequence
from enum import StrEnum
from math import floor

import pandas as pd

from dashboard.batch.score import is_wrong
from dashboard.shared.view import percent
from inkserve.batch.sources import Entry
from inkserve.client import Candidate, Prediction, RecogniserError
from inkserve.client.recogniser import Result

PAGE_ROWS = 200  # of a page
FINENESS = 10_000  # to which confidences are rounded down: none becomes a certainty that no model has


class Show(StrEnum):
    """Which rows."""

    ALL = "All"
    UNSURE = "Unsure"
    ERRORS = "Errors"
    WRONG = "Wrong"


class Order(StrEnum):
    """In which order."""

    UPLOADED = "As uploaded"
    LEAST_SURE = "Least sure first"
    SUREST = "Surest first"


def select(
    show: Show, results: Sequence[Result | None], truths: Sequence[str | None], unsure_below: float
) -> list[int]:
    """Return the indexes of the rows to show; a picture without a result, as after a cancel, has no row.

    Args:
        show: which.
        results: of all pictures.
        truths: what they show, as far as that is known.
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
    """Order rows by confidence; errors come last, as they have none."""
    if order == Order.UPLOADED:
        return list(indexes)
    sign = 1 if order == Order.LEAST_SURE else -1

    def key(index: int) -> tuple[bool, float]:
        result = results[index]
        return (False, sign * result.confidence) if isinstance(result, Prediction) else (True, 0.0)

    return sorted(indexes, key=key)


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
    """Return the rows of a page: one for each index, with an empty cell where there is nothing to say."""
    columns = ["Picture", "Read as", "Confidence", "Name", "Error", "Second", "Third", "Right label"]
    rows = []
    for index, thumbnail in zip(indexes, thumbnails, strict=True):
        result, name = results[index], entries[index].name
        if isinstance(result, Prediction):
            confidence = floor(result.confidence * FINENESS) / FINENESS
            second, third = (*map(_candidate, result.top[1:3]), "", "")[:2]
            rows.append((thumbnail, result.label, confidence, name, "", second, third, truths[index]))
        else:
            error = f"{result.type}: {result.message}" if result else ""
            rows.append((thumbnail, "", None, name, error, "", "", truths[index]))
    return pd.DataFrame(rows, columns=columns)


def _candidate(candidate: Candidate) -> str:
    return f"{candidate.label} ({percent(candidate.probability)})"
