"""Train a recogniser: `python -m training.train digits`.

Reads the data from DATA_DIR, saves its state after each epoch under runs/train/<model>/ and goes on from there
with --resume, and ends by writing weights/<model>-<version>.safetensors with its card. Every run is recorded in
MLflow's store, which `make mlflow` shows. With --folds K it cross-validates instead, and writes no weights.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

import torch

from handwriting.checkpoint import CheckpointError, load_checkpoint
from handwriting.labels import LABELS, NORMAL_FORMS
from handwriting.networks import Network
from training.crossval import cross_validate
from training.data import Characters, hold_out, load_characters
from training.finish import finish, run_folder
from training.fit import config_of, fit
from training.fonts.render import draw_characters
from training.idx import DataError
from training.options import parse
from training.provenance import commit
from training.tracking import tracked
from training.trainer import Trainer, setup


def train(options: argparse.Namespace) -> Path:
    """Train as the options say, and return the path of the weights."""
    code = commit()  # before the run changes the weights in the working tree
    characters = load_characters(NORMAL_FORMS[options.model], "train").take(slice(options.limit))
    training, held_out = hold_out(characters, options.hold_out, options.seed)
    training = with_fonts(training, options)
    state = run_folder(options) / "state.pt"
    trainer = Trainer(options, config_of(options), len(training), load_start(options))
    if options.resume and state.exists():
        trainer.resume(state)
        print(f"going on after epoch {len(trainer.history)} of {state}")
    with tracked(options, setup(options) | {"commit": code}, trainer.run_id) as tracker:
        trainer.run_id = tracker.run_id
        fit(trainer, training, held_out, tracker, state)
        return finish(trainer, training, held_out, tracker, code)


def with_fonts(characters: Characters, options: argparse.Namespace) -> Characters:
    """Add drawings of handwriting fonts to the characters to learn from, if the recipe wants some.

    Raises:
        DataError: the fonts are missing, or not the known ones.
    """
    if not options.font_drawings:
        return characters
    drawn = draw_characters(LABELS[options.model], NORMAL_FORMS[options.model], options.font_drawings, options.seed)
    return characters.join(drawn.take(slice(options.limit)))


def load_start(options: argparse.Namespace) -> Network | None:
    """Load the weights to go on from, if there are any.

    Raises:
        ValueError: they are another network's.
    """
    if options.start is None:
        return None
    start = load_checkpoint(options.start)
    theirs, ours = ((each.architecture, each.labels, dict(each.sizes)) for each in (start.config, config_of(options)))
    if theirs != ours:
        raise ValueError(f"{options.start} holds {theirs}; wanted {ours}")
    return start


def main() -> int:
    """Train from the command line; 1 if the data or the saved state cannot be used."""
    options = parse(None, __doc__)
    torch.set_num_threads(options.threads)
    print("training:", shlex.join(sys.argv[1:]), json.dumps(setup(options)))
    try:
        if options.folds:
            cross_validate(options)
        else:
            print(f"wrote {train(options)}")
    except (DataError, CheckpointError, ValueError) as err:
        print(f"training: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
