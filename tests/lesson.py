"""A taught version for the tests that need one, but not that it learned anything."""

import json
import shutil
from pathlib import Path

from dashboard.finetune.lessons import Lesson, read_lessons
from deploy.local.settings import ROOT


def lesson(folder: Path, version: str = "1.1") -> Lesson:
    """Make a new version in a folder: digits-tiny's own weights, and its card with what a lesson's has."""
    folder.mkdir(exist_ok=True)
    weights = folder / f"digits-tiny-{version}.safetensors"
    shutil.copy(ROOT / "weights" / "digits-tiny-1.0.safetensors", weights)
    card = json.loads((ROOT / "weights" / "digits-tiny-1.0.json").read_text())
    metrics = [{"set": "drawings <kept> aside", "n": 8, "accuracy": 1.0, "accuracy_before": 0.875}]
    taught = {"version": version, "base": card, "drawings": {"4": 20, "7": 20}, "metrics": metrics}
    weights.with_suffix(".json").write_text(json.dumps(card | taught))
    return read_lessons(folder)[0]
