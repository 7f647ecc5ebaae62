"""How the old and the new version read the drawings that are kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.finetune.lessons import Lesson
from dashboard.models.comparison import compare
from handwriting.labels import LABELS, merge_case
from training.drawing_store import Drawing


@dataclass(frozen=True)
class Apart:
    """A drawing that the two versions read differently.

    Attributes:
        picture: a small one as data URL, None if it cannot be opened.
        label: what it shows.
        old: the old version's label, or the type of its error.
        new: the new version's.
    """

    picture: str | None
    label: str
    old: str
    new: str


@dataclass(frozen=True)
class Verdict:
    """What both versions read right.

    Attributes:
        n: drawings that both were asked for.
        old: how many of them the old version reads right.
        new: how many the new one does.
        apart: those that they read differently.
    """

    n: int
    old: int
    new: int
    apart: Sequence[Apart]


def judge(lesson: Lesson, drawings: Sequence[Drawing]) -> Verdict:
    """Ask both versions for each drawing whose label they know.

    Raises:
        ServerDown: the server answers nothing at all.
    """
    labels = LABELS[lesson.new.model]
    known = {each.id: _known(each.label, labels) for each in drawings if _known(each.label, labels) in labels}
    pictures = {str(each.id): each.picture for each in drawings if each.id in known}
    rows = compare(lesson.old, lesson.new, pictures)
    told = [Apart(row["picture"], known[int(row["name"])], row[str(lesson.old)], row[str(lesson.new)]) for row in rows]
    right = [(each.old == each.label, each.new == each.label) for each in told]
    apart = [each for each in told if each.old != each.new]
    return Verdict(len(told), sum(old for old, _ in right), sum(new for _, new in right), apart)


def _known(label: str, labels: Sequence[str]) -> str:
    return label if label in labels else merge_case(label)
