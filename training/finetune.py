"""Teach a recogniser one's own hand: `python -m training.finetune digits my-drawings/`.

Goes on from a version's weights with labelled drawings, a folder with one subfolder a label or a database, mixed with
characters of the original data so that nothing is forgotten. Writes the next version beside the old one, and prints
what both read right: of the original test set, and of drawings that were kept aside.

A database may be named by DATABASE_URL instead, and should be where its address has a password: the card records the
command, and travels with the archive.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from handwriting.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from handwriting.networks import Network
from inkserve.command import CommandError
from inkserve.versions import WEIGHTS, next_version
from training.card import read_card, write_card
from training.data import TITLES, Characters, load_characters
from training.drawing_store import VARIABLE
from training.drawings import load_drawings
from training.fit import fit, score
from training.options import positive
from training.progress import ProgressFile
from training.provenance import commit
from training.recipes import RECIPES
from training.tracking import Tracker
from training.trainer import Trainer

KEPT_ASIDE = 0.2  # of the drawings of each label, to measure on
DRAWINGS_SHARE = 0.25  # of what is learned from; each drawing comes as often as that takes
MIN_ORIGINALS = 3000  # characters of the original data, at least so many


def finetune(options: argparse.Namespace) -> Path:
    """Make the next version, and return the path of its weights."""
    code = commit()
    old = find_weights(options)
    network = load_checkpoint(old)
    config = network.config
    drawings = load_drawings(options.drawings, config.labels, config.normal_form)
    learned, aside = split(drawings, options.seed)
    test = load_characters(config.normal_form, "test").take(slice(options.test_limit))
    print(f"{len(learned):,} drawings to learn from, {len(aside):,} kept aside to measure on")
    mixture = mix(learned, load_characters(config.normal_form, "train"), options.seed)
    trainer = Trainer(options, config, len(mixture), start=network)
    tracker = ProgressFile(options.progress, options.epochs) if options.progress else Tracker()
    fit(trainer, mixture, mixture.take(slice(0)), tracker)
    new = trainer.trained()
    sets = {TITLES[config.normal_form, "test"]: test, "drawings kept aside": aside}
    metrics = compare(network, new, sets, options)
    options.output.mkdir(parents=True, exist_ok=True)
    weights = options.output / f"{options.model}-{options.version}{WEIGHTS}"
    save_checkpoint(new, weights)
    labels, counts = np.unique(drawings.labels, return_counts=True)
    run = {
        "version": options.version,
        "seed": options.seed,
        "epochs": options.epochs,
        "commit": code,
        "base": read_card(old),
        "drawings": {config.labels[label]: int(count) for label, count in zip(labels, counts, strict=True)},
        "history": trainer.history,
    }
    write_card(weights, new, mixture.files, run, metrics)
    return weights


def find_weights(options: argparse.Namespace) -> Path:
    """Return the weights to go on from: of the output folder, where they are, else of the weights' folder."""
    name = f"{options.model}-{options.base}{WEIGHTS}"
    own = options.output / name
    return own if own.exists() else options.weights / name


def split(drawings: Characters, seed: int) -> tuple[Characters, Characters]:
    """Split drawings label by label: the larger part to learn from, KEPT_ASIDE to measure on."""
    rows = np.arange(len(drawings))
    aside = max(round(KEPT_ASIDE * len(rows)), len(np.unique(drawings.labels)))
    learned, measured = train_test_split(rows, test_size=aside, stratify=drawings.labels, random_state=seed)
    return drawings.take(learned), drawings.take(measured)


def mix(drawings: Characters, originals: Characters, seed: int) -> Characters:
    """Put drawings, repeated, and a random part of the original data together in the ratio of DRAWINGS_SHARE."""
    wanted = max(MIN_ORIGINALS, round(len(drawings) * (1 - DRAWINGS_SHARE) / DRAWINGS_SHARE))
    part = originals.take(np.random.default_rng(seed).permutation(len(originals))[:wanted])
    repeats = max(1, round(len(part) * DRAWINGS_SHARE / (1 - DRAWINGS_SHARE) / len(drawings)))
    return Characters(
        np.concatenate([part.images, *[drawings.images] * repeats]),
        np.concatenate([part.labels, *[drawings.labels] * repeats]),
        originals.files,
    )


def compare(
    old: Network, new: Network, sets: dict[str, Characters], options: argparse.Namespace
) -> list[dict[str, object]]:
    """Print and return what both versions read right of each set; the new version's figures with the old accuracy."""
    rows: list[dict[str, object]] = []
    for title, characters in sets.items():
        before, after = score(old, characters), score(new, characters)
        rows.append({"set": title, "n": len(characters), **after, "accuracy_before": before["accuracy"]})
        print(
            f"{title} ({len(characters):,}): {options.model} {options.base} {before['accuracy']:.2%}, "
            f"{options.version} {after['accuracy']:.2%}"
        )
    return rows


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.finetune", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("model", choices=sorted(RECIPES), help="recogniser to teach")
    parser.add_argument(
        "drawings",
        nargs="?",
        help="folder with a subfolder for each label, or a database: sqlite:///drawings.db (default: DATABASE_URL)",
    )
    parser.add_argument("--base", default="1.0", help="version to go on from")
    parser.add_argument("--version", help="of the new weights (default: the next after the highest there is)")
    parser.add_argument("--epochs", type=positive, default=8, help="passes over the mixture")
    parser.add_argument("--batch-size", type=positive, default=64, help="characters a step")
    parser.add_argument("--lr", type=float, default=5e-4, help="peak learning rate of the one-cycle schedule")
    parser.add_argument("--seed", type=int, default=0, help="of what is kept aside, the order and the augmentation")
    parser.add_argument("--test-limit", type=positive, help="measure on the first so many of the test set only")
    parser.add_argument("--threads", type=positive, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the weights to go on from")
    parser.add_argument("--output", type=Path, help="folder of the new weights (default: that of the old ones)")
    parser.add_argument("--progress", type=Path, help="JSON file that tells how far it is, for a program that waits")
    options = parser.parse_args(arguments)
    options.drawings = options.drawings or os.environ.get(VARIABLE)
    if not options.drawings:
        parser.error("no drawings: name a folder or a database, or set DATABASE_URL")
    options.output = options.output or options.weights
    options.version = options.version or next_version(options.model, [options.weights, options.output])
    options.recipe = RECIPES[options.model]
    options.device, options.teacher, options.patience, options.keep = "cpu", [], 1, "last"
    return options


def main() -> int:
    """Fine-tune from the command line; 1 if drawings, data or weights cannot be used."""
    options = parse()
    torch.set_num_threads(options.threads)
    try:
        weights = finetune(options)
    except (CommandError, CheckpointError) as err:
        print(f"finetune: {err}", file=sys.stderr)
        return 1
    print(f"wrote {weights}; `make up` serves it beside the older versions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
