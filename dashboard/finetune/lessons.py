"""The versions that fine-tuning has made, as their cards on disk tell of them."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.shared.catalogue import Served

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "INKSERVE_TAUGHT"
DEFAULT = ROOT / "runs" / "stack" / "taught"
WEIGHTS = ROOT / "weights"


@dataclass(frozen=True)
class Result:
    """What both versions read right of a set of characters.

    Attributes:
        title: of the set.
        n: characters in it.
        before: accuracy of the old version, in [0, 1].
        after: accuracy of the new one, in [0, 1].
    """

    title: str
    n: int
    before: float
    after: float


@dataclass(frozen=True)
class Lesson:
    """A version that learned from drawings.

    Attributes:
        old: the version that it went on from.
        new: the version that it is.
        drawings: how many there were of each label, those kept aside included.
        results: of both versions.
        old_was_taught: whether the old version had learned from drawings, too.
        weights: its checkpoint, with the card beside it.
    """

    old: Served
    new: Served
    drawings: Mapping[str, int]
    results: Sequence[Result]
    old_was_taught: bool
    weights: Path


def taught_folder() -> Path:
    """Return the folder of taught weights: that of INKSERVE_TAUGHT, or the one that `make up` uses."""
    return Path(os.environ.get(VARIABLE) or DEFAULT)


def read_lessons(folder: Path) -> Sequence[Lesson]:
    """Return the versions in a folder, the latest first; a card that is half written is not there yet."""
    cards = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    found = (_lesson(path) for path in cards if path.with_suffix(".safetensors").exists())
    return [each for each in found if each is not None]


def _lesson(path: Path) -> Lesson | None:
    try:
        card = json.loads(path.read_text())
        results = [_result(row) for row in card["metrics"]]
        old, new = (Served(each["model"], each["version"], False) for each in (card["base"], card))
        drawings = {str(label): int(count) for label, count in card["drawings"].items()}
        return Lesson(old, new, drawings, results, "drawings" in card["base"], path.with_suffix(".safetensors"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _result(row: Mapping[str, Any]) -> Result:
    return Result(str(row["set"]), int(row["n"]), float(row["accuracy_before"]), float(row["accuracy"]))
