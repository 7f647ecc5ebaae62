"""The fine-tuned versions in a folder, from their cards, and how they and their base versions read kept drawings."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dashboard.shared.endpoint import Endpoint
from dashboard.shared.recogniser_comparison import ComparedPicture, compare
from handwriting.labels import LABELS, merge_case
from inkserve.intervals import wilson_interval
from training.card import Card, CardError, Metric
from training.drawing_store import Drawing

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "INKSERVE_FINETUNED"
DEFAULT = ROOT / "runs" / "stack" / "finetuned"
WEIGHTS = ROOT / "weights"
MIN_CHARACTERS = 30  # in smaller test sets, one character is more than 3 percentage points


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned version.

    Attributes:
        base: the version that it was fine-tuned from.
        tuned: itself.
        drawings: how many there were of each label, held-out ones included.
        metrics: those of its card that have the accuracy of the base version, too.
        base_was_finetuned: whether the base version had been fine-tuned, too.
        weights: its checkpoint, with the card beside it.
    """

    base: Endpoint
    tuned: Endpoint
    drawings: Mapping[str, int]
    metrics: Sequence[Metric]
    base_was_finetuned: bool
    weights: Path

    @property
    def forgot(self) -> Metric | None:
        """The test set that it reads worse than its base version by more than chance; None if there is none."""
        return next(
            (each for each in self.metrics if each.n >= MIN_CHARACTERS and each.accuracy < lowest_before(each)), None
        )


def lowest_before(metric: Metric) -> float:
    """Return the lower end of the interval of the accuracy before."""
    correct = round((metric.accuracy_before or 0.0) * metric.n)
    return wilson_interval(correct, metric.n)[0]


@dataclass(frozen=True)
class DrawingComparison:
    """The answers of both versions for kept drawings.

    Attributes:
        n: drawings that both versions read.
        base_correct: how many the base version reads correctly.
        tuned_correct: how many the fine-tuned version reads correctly.
        disagreements: the label of each drawing on which they disagree, with both answers.
    """

    n: int
    base_correct: int
    tuned_correct: int
    disagreements: Sequence[tuple[str, ComparedPicture]]


def finetuned_folder() -> Path:
    """Return the folder of fine-tuned weights: that of INKSERVE_FINETUNED, or the one that `make up` uses."""
    return Path(os.environ.get(VARIABLE) or DEFAULT)


def read_finetuned(folder: Path) -> Sequence[FineTuned]:
    """Return the versions in a folder, the latest first; incomplete cards are skipped."""
    cards = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    found = (_read_card(path) for path in cards if path.with_suffix(".safetensors").exists())
    return [each for each in found if each is not None]


def compare_on_drawings(found: FineTuned, drawings: Sequence[Drawing]) -> DrawingComparison:
    """Let both versions read the drawings whose labels they know.

    Raises:
        ServerDown: the server answers none of them.
    """
    labels = LABELS[found.tuned.model]
    known = {
        str(each.id): (each.label if each.label in labels else merge_case(each.label), each.picture)
        for each in drawings
        if {each.label, merge_case(each.label)} & {*labels}
    }
    compared = compare(found.base, found.tuned, {name: picture for name, (_, picture) in known.items()})
    labelled = [(known[each.name][0], each) for each in compared]
    return DrawingComparison(
        n=len(labelled),
        base_correct=sum(label == each.labels[0] for label, each in labelled),
        tuned_correct=sum(label == each.labels[1] for label, each in labelled),
        disagreements=[(label, each) for label, each in labelled if not each.agrees],
    )


def _read_card(path: Path) -> FineTuned | None:
    try:
        card = Card.read(path)
    except CardError:
        return None
    if card.base is None or card.drawings is None:
        return None
    base, tuned = (Endpoint(each.model, each.version, False) for each in (card.base, card))
    metrics = [metric for metric in card.metrics if metric.accuracy_before is not None]
    weights = path.with_suffix(".safetensors")
    return FineTuned(base, tuned, card.drawings, metrics, card.base.drawings is not None, weights)
