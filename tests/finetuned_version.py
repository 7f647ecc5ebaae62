"""A fine-tuned version for tests that need one, but no better accuracy."""

import json
import shutil
from pathlib import Path

from dashboard.finetune.finetuned import FineTuned, read_finetuned
from deploy.local.settings import ROOT


def finetuned_version(folder: Path, version: str = "1.1") -> FineTuned:
    """Make a version in a folder: the weights of digits-tiny, and its card with what fine-tuning adds."""
    folder.mkdir(exist_ok=True)
    weights = folder / f"digits-tiny-{version}.safetensors"
    shutil.copy(ROOT / "weights" / "digits-tiny-1.0.safetensors", weights)
    card = json.loads((ROOT / "weights" / "digits-tiny-1.0.json").read_text())
    metrics = [{"set": "drawings <kept> aside", "n": 8, "accuracy": 1.0, "accuracy_before": 0.875}]
    added = {"version": version, "base": card, "drawings": {"4": 20, "7": 20}, "metrics": metrics}
    weights.with_suffix(".json").write_text(json.dumps(card | added))
    return read_finetuned(folder)[0]
