"""K-fold cross-validation: how much a recogniser's figures depend on which characters it learned from."""

import argparse
import copy
import json
import statistics
from pathlib import Path

from sklearn.model_selection import StratifiedKFold

from handwriting.labels import NORMAL_FORMS
from training.data import TITLES, load_characters
from training.fit import config_of, describe, fit, score
from training.provenance import command, commit
from training.tracking import Tracker
from training.trainer import Trainer, setup


def cross_validate(options: argparse.Namespace) -> Path:
    """Train --folds networks, each measured on the fold that it did not learn from, and print mean and spread.

    The test set is not touched. No fold is held out from early stopping: it would then be measured on what stopped it,
    so every network trains all epochs.

    Returns:
        path of the figures, runs/crossval/<model>.json.

    Raises:
        ValueError: a class has fewer characters than there are folds.
    """
    data_set = NORMAL_FORMS[options.model]
    characters = load_characters(data_set, "train").take(slice(options.limit))
    folds = StratifiedKFold(options.folds, shuffle=True, random_state=options.seed)
    rows: list[dict[str, float]] = []
    for number, (learned, measured) in enumerate(folds.split(characters.labels, characters.labels), 1):
        print(
            f"fold {number}/{options.folds}: {len(learned):,} characters to learn from, {len(measured):,} to measure on"
        )
        trainer = Trainer(copy.copy(options), config_of(options), len(learned))
        fit(trainer, characters.take(learned), characters.take(slice(0)), Tracker())
        rows.append(score(trainer.trained(), characters.take(measured)))
        print(f"fold {number}/{options.folds}: {describe(rows[-1])}", flush=True)
    summary = {name: spread([row[name] for row in rows]) for name in rows[0]}
    for name, figures in summary.items():
        print(f"{name}: mean {figures['mean']:.4f}, standard deviation {figures['standard_deviation']:.4f}")
    path = options.runs / "crossval" / f"{options.model}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"data": TITLES[data_set, "train"], "n": len(characters), "command": command(), "commit": commit()}
    path.write_text(json.dumps(facts | {"setup": setup(options), "folds": rows, "summary": summary}, indent=2) + "\n")
    return path


def spread(values: list[float]) -> dict[str, float]:
    """Return mean and standard deviation (of the sample: n - 1)."""
    return {"mean": statistics.mean(values), "standard_deviation": statistics.stdev(values)}
