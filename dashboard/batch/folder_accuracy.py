"""The accuracy of a batch, whose folders are named after the true labels of their pictures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from handwriting.labels import merge_case
from inkserve import Prediction
from inkserve.client.answers import Result
from inkserve.intervals import wilson_interval

Cell = tuple[str, str]  # true label, predicted label


@dataclass(frozen=True)
class Score:
    """Accuracy over the labelled pictures that were read.

    Attributes:
        right: correct predictions.
        read: labelled pictures with a prediction.
        unread: labelled pictures with an error.
        interval: 95 % interval of the accuracy.
        confusion: number of pictures by (true label, predicted label).
    """

    right: int
    read: int
    unread: int
    interval: tuple[float, float]
    confusion: Counter[Cell]

    @property
    def accuracy(self) -> float:
        """Share of correct predictions, in [0, 1]."""
        return self.right / self.read


def folder_label(name: str, labels: Sequence[str]) -> str | None:
    """Return the label that the folder around a file is named after, as in `7/scan.png`, or None.

    If a recogniser merges a letter's cases, folders of both cases count as its label.
    """
    label = merge_case(PurePosixPath(name.replace("\\", "/")).parent.name)
    return label if label in labels else None


def is_wrong(truth: str | None, result: Result | None) -> bool:
    """Whether a prediction differs from the true label."""
    return truth is not None and isinstance(result, Prediction) and result.label != truth


def in_cell(truths: Sequence[str | None], results: Sequence[Result | None], cell: Cell) -> list[int]:
    """Return the indexes of the pictures in a cell of the confusion matrix."""
    pairs = enumerate(zip(truths, results, strict=True))
    return [i for i, (truth, result) in pairs if isinstance(result, Prediction) and (truth, result.label) == cell]


def score(truths: Sequence[str | None], results: Sequence[Result | None]) -> Score | None:
    """Compare predictions with labels; None if no labelled picture has a prediction."""
    labelled = [(truth, result) for truth, result in zip(truths, results, strict=True) if truth and result]
    confusion = Counter((truth, result.label) for truth, result in labelled if isinstance(result, Prediction))
    read = confusion.total()
    if not read:
        return None
    right = sum(count for (truth, label), count in confusion.items() if truth == label)
    return Score(right, read, len(labelled) - read, wilson_interval(right, read), confusion)
