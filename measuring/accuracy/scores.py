"""Figures from answers: accuracy by class, the confusion matrix, and calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from inkserve.intervals import wilson_interval

BINS = 15  # of confidence, for calibration


@dataclass(frozen=True)
class Answers:
    """A recogniser's answers to a test set, row by row.

    Attributes:
        labels: its labels, in order.
        right: (N,) indices of the right labels.
        top: (N, k) indices of the most probable labels, -1 in rows that were refused.
        confidences: (N,) float64 probability of the first of them, 0 in rows that were refused.
    """

    labels: Sequence[str]
    right: np.ndarray
    top: np.ndarray
    confidences: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """(N,) indices of the predicted labels, -1 where the picture was refused."""
        return self.top[:, 0]

    @property
    def correct(self) -> np.ndarray:
        """(N,) bool."""
        return self.predicted == self.right


def summarise(answers: Answers) -> dict[str, Any]:
    """Compute all figures that a results page shows."""
    classes = list(range(len(answers.labels)))
    scores = precision_recall_fscore_support(answers.right, answers.predicted, labels=classes, zero_division=0)
    _, recall, f1, support = scores
    names = ("label", "precision", "recall", "f1", "n")
    by_class = zip(answers.labels, *(each.tolist() for each in scores), strict=True)
    present = support > 0
    return {
        "n": len(answers.right),
        "accuracy": float(answers.correct.mean()),
        "accuracy_interval_95": wilson_interval(int(answers.correct.sum()), len(answers.right)),
        "top_3_accuracy": float((answers.top[:, :3] == answers.right[:, None]).any(axis=1).mean()),
        "mean_recall": float(recall[present].mean()),
        "mean_f1": float(f1[present].mean()),
        "expected_calibration_error": calibration_error(answers),
        "refused": int((answers.predicted < 0).sum()),
        "classes": [dict(zip(names, each, strict=True)) for each in by_class],
        "confusion": confusion(answers).tolist(),
    }


def confusion(answers: Answers) -> np.ndarray:
    """Count (labels, labels) int64: row is the right label, column the predicted one; refused pictures are left out."""
    answered = answers.predicted >= 0
    return confusion_matrix(
        answers.right[answered], answers.predicted[answered], labels=list(range(len(answers.labels)))
    )


def reliability(answers: Answers) -> list[dict[str, float]]:
    """Compare confidence with accuracy in BINS equal bins of confidence; bins without pictures are left out."""
    bins = np.minimum((answers.confidences * BINS).astype(int), BINS - 1)
    return [
        {
            "confidence": float(answers.confidences[bins == k].mean()),
            "accuracy": float(answers.correct[bins == k].mean()),
            "n": int((bins == k).sum()),
        }
        for k in range(BINS)
        if (bins == k).any()
    ]


def calibration_error(answers: Answers) -> float:
    """Mean difference of confidence and accuracy over the bins, weighted by their pictures (ECE), in [0, 1].

    Source: Guo, Pleiss, Sun and Weinberger 2017, "On calibration of modern neural networks", equation 3.
    """
    rows = reliability(answers)
    return sum(row["n"] * abs(row["confidence"] - row["accuracy"]) for row in rows) / len(answers.right)


def most_confused(summary: Mapping[str, Any], count: int = 10) -> list[tuple[str, str, int]]:
    """Return the most frequent mistakes of a summary: right label, predicted label, how often."""
    wrong = np.array(summary["confusion"])
    np.fill_diagonal(wrong, 0)
    labels = [row["label"] for row in summary["classes"]]
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    pairs = (np.unravel_index(index, wrong.shape) for index in order)
    return [(labels[r], labels[p], int(wrong[r, p])) for r, p in pairs if wrong[r, p]]


def worst_mistakes(answers: Answers, count: int) -> np.ndarray:
    """Return the mistakes with the highest confidence, worst first."""
    wrong = np.flatnonzero(~answers.correct & (answers.predicted >= 0))
    return wrong[np.argsort(-answers.confidences[wrong], kind="stable")][:count]
