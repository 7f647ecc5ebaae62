"""Fine-tune a recogniser on your own handwriting: `python -m training.finetune digits my-drawings/`.

Continues from the weights of a version, with labelled drawings mixed with original training data, so that the network
forgets nothing. The drawings come from a folder with one subfolder for each label, or from a database. Writes the next
version beside the old one, and prints the accuracy of both on the original test set and on drawings kept aside.

DATABASE_URL can name the database instead, and should where its address has a password: the card records the command
line, and archives carry the card.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from handwriting.checkpoint import CheckpointError, load_checkpoint
from handwriting.networks import Network
from inkserve.command import CommandError, run
from inkserve.versions import WEIGHTS, next_version
from training.card import Card, Metric, card_path
from training.data import Characters, load_characters, title_of
from training.drawing_store import VARIABLE
from training.drawings import load_drawings
from training.finish import save_with_card
from training.fit import fit, score
from training.options import RECIPES, training_parser
from training.tracking import ProgressFile, Tracker
from training.trainer import Trainer

KEPT_ASIDE = 0.2  # of the drawings of each label, to measure on
DRAWINGS_SHARE = 0.25  # of the training data; drawings are repeated to reach it
MIN_ORIGINALS = 2000  # characters of the original data


def finetune(options: argparse.Namespace) -> Path:
    """Make the next version, and return the path of its weights."""
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
    sets = {title_of(config.normal_form, "test"): test, "drawings kept aside": aside}
    metrics = compare(network, new, sets, options)
    weights = options.output / f"{options.model}-{options.version}{WEIGHTS}"
    labels, counts = np.unique(drawings.labels, return_counts=True)
    save_with_card(
        new,
        weights,
        mixture.files,
        **trainer.facts(),
        base=Card.read(card_path(old)).without_history(),
        drawings={config.labels[label]: int(count) for label, count in zip(labels, counts, strict=True)},
        metrics=metrics,
    )
    return weights


def find_weights(options: argparse.Namespace) -> Path:
    """Return the weights to continue from: in the output folder if they are there, else in the weights folder."""
    name = f"{options.model}-{options.base}{WEIGHTS}"
    own = options.output / name
    return own if own.exists() else options.weights / name


def split(drawings: Characters, seed: int) -> tuple[Characters, Characters]:
    """Split the drawings of each label: KEPT_ASIDE of them to measure on, the rest to learn from."""
    rows = np.arange(len(drawings))
    aside = max(round(KEPT_ASIDE * len(rows)), len(np.unique(drawings.labels)))
    learned, measured = train_test_split(rows, test_size=aside, stratify=drawings.labels, random_state=seed)
    return drawings.take(learned), drawings.take(measured)


def mix(drawings: Characters, originals: Characters, seed: int) -> Characters:
    """Mix repeated drawings with a random part of the original data; DRAWINGS_SHARE of the mixture are drawings."""
    wanted = max(MIN_ORIGINALS, round(len(drawings) * (1 - DRAWINGS_SHARE) / DRAWINGS_SHARE))
    part = originals.take(np.random.default_rng(seed).permutation(len(originals))[:wanted])
    repeats = max(1, round(len(part) * DRAWINGS_SHARE / (1 - DRAWINGS_SHARE) / len(drawings)))
    return part.join(drawings.take(np.tile(np.arange(len(drawings)), repeats)))


def compare(old: Network, new: Network, sets: dict[str, Characters], options: argparse.Namespace) -> tuple[Metric, ...]:
    """Measure both versions on each set, print their accuracies, and return the figures of the new one."""
    rows = []
    for title, characters in sets.items():
        before, after = score(old, characters), score(new, characters)
        rows.append(Metric(title, len(characters), **after, accuracy_before=before["accuracy"]))
        print(
            f"{title} ({len(characters):,}): {options.model} {options.base} {before['accuracy']:.2%}, "
            f"{options.version} {after['accuracy']:.2%}"
        )
    return tuple(rows)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = training_parser("training.finetune", __doc__)
    parser.add_argument(
        "drawings",
        nargs="?",
        help="folder with a subfolder for each label, or a database: sqlite:///drawings.db (default: DATABASE_URL)",
    )
    parser.add_argument("--base", default="1.0", help="version to continue from")
    parser.add_argument("--version", help="of the new weights (default: the next after the highest)")
    parser.add_argument("--output", type=Path, help="folder of the new weights (default: the folder of the old ones)")
    parser.add_argument("--progress", type=Path, help="JSON file for the progress, updated after each epoch")
    parser.set_defaults(epochs=8, batch_size=64, lr=5e-4, device="cpu", teacher=[], patience=1, keep="last")
    options = parser.parse_args(arguments)
    options.drawings = options.drawings or os.environ.get(VARIABLE)
    if not options.drawings:
        parser.error("no drawings: name a folder or a database, or set DATABASE_URL")
    options.output = options.output or options.weights
    options.version = options.version or next_version(options.model, [options.weights, options.output])
    options.recipe = RECIPES[options.model]
    return options


def main() -> None:
    """Fine-tune from the command line.

    Raises:
        CommandError: drawings, data or weights cannot be used.
    """
    options = parse()
    torch.set_num_threads(options.threads)
    try:
        weights = finetune(options)
    except CheckpointError as err:
        raise CommandError(str(err)) from err
    print(f"wrote {weights}; `make up` serves it beside the older versions")


if __name__ == "__main__":
    sys.exit(run("finetune", main))
