"""K-fold cross-validation: how much the figures of a recogniser depend on the choice of training characters."""

import argparse
import copy
import json
import statistics
from pathlib import Path

from sklearn.model_selection import StratifiedKFold

from handwriting.labels import NORMAL_FORMS
from inkserve.command import CommandError
from inkserve.files import atomic_write
from training.data import load_characters, title_of
from training.fit import config_of, describe, fit, score
from training.provenance import command
from training.tracking import Tracker
from training.trainer import Trainer, setup


def cross_validate(options: argparse.Namespace) -> Path:
    """Train --folds networks, each measured on the fold left out of its training, and print mean and spread.

    The test set is not used. Every network trains all epochs: early stopping would choose weights on the fold that
    measures them.

    Returns:
        path of the figures, runs/crossval/<model>.json.

    Raises:
        CommandError: a class has fewer characters than there are folds.
    """
    data_set = NORMAL_FORMS[options.model]
    characters = load_characters(data_set, "train").take(slice(options.limit))
    folds = StratifiedKFold(options.folds, shuffle=True, random_state=options.seed)
    try:
        splits = list(folds.split(characters.labels, characters.labels))
    except ValueError as err:
        raise CommandError(f"--folds {options.folds}: {err}") from err
    rows: list[dict[str, float]] = []
    for number, (learned, measured) in enumerate(splits, 1):
        print(
            f"fold {number}/{options.folds}: {len(learned):,} characters to learn from, {len(measured):,} to measure on"
        )
        trainer = Trainer(copy.copy(options), config_of(options), len(learned))
        fit(trainer, characters.take(learned), characters.take(slice(0)), Tracker())
        rows.append(score(trainer.trained(), characters.take(measured)))
        print(f"fold {number}/{options.folds}: {describe(rows[-1])}", flush=True)
    summary = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        mean, deviation = statistics.mean(values), statistics.stdev(values)  # of the sample: n - 1
        summary[name] = {"mean": mean, "standard_deviation": deviation}
        print(f"{name}: mean {mean:.4f}, standard deviation {deviation:.4f}")
    path = options.runs / "crossval" / f"{options.model}.json"
    facts = {"data": title_of(data_set, "train"), "n": len(characters), "command": command(), "commit": trainer.commit}
    results = facts | {"setup": setup(options), "folds": rows, "summary": summary}
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(results, indent=2) + "\n")
    return path
