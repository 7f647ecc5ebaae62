"""Train a recogniser: `python -m training.train digits`.

Reads the data from DATA_DIR, saves its state after each epoch in runs/train/<model>/state.pt (--resume continues from
there), and writes weights/<model>-<version>.safetensors with its card. MLflow records each run, see `make mlflow`. With
--folds K it cross-validates instead and writes no weights.
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
from inkserve.command import CommandError, run
from training.crossval import cross_validate
from training.data import hold_out, load_characters
from training.finish import finish, run_folder
from training.fit import config_of, fit
from training.fonts.render import draw_characters
from training.options import parse
from training.paper import paper_frames
from training.tracking import tracked
from training.trainer import Trainer, setup


def train(options: argparse.Namespace) -> Path:
    """Train as the options say, and return the path of the weights."""
    characters = load_characters(NORMAL_FORMS[options.model], "train")
    training, held_out = hold_out(characters, options.hold_out, options.seed)
    training = training.take(slice(options.limit))
    if options.font_drawings:
        drawn = draw_characters(LABELS[options.model], NORMAL_FORMS[options.model], options.font_drawings, options.seed)
        training = training.join(drawn.take(slice(options.limit)))
    training = training.join(paper_frames(options, run_folder(options)))
    state = run_folder(options) / "state.pt"
    trainer = Trainer(options, config_of(options), len(training), load_start(options), options.start_share)
    if options.resume and state.exists():
        trainer.resume(state)
        print(f"continuing after epoch {len(trainer.history)} of {state}")
    with tracked(options, setup(options) | {"commit": trainer.commit}, trainer.run_id) as tracker:
        trainer.run_id = tracker.run_id
        fit(trainer, training, held_out, tracker, state)
        return finish(trainer, training, held_out, tracker)


def load_start(options: argparse.Namespace) -> Network | None:
    """Load the initial weights, if the options name some.

    Raises:
        CommandError: they are those of another network.
    """
    if options.start is None:
        return None
    start = load_checkpoint(options.start)
    theirs, ours = ((each.architecture, each.labels, dict(each.sizes)) for each in (start.config, config_of(options)))
    if theirs != ours:
        raise CommandError(f"{options.start} holds {theirs}; wanted {ours}")
    return start


def main() -> None:
    """Train from the command line.

    Raises:
        CommandError: the data, given weights or the saved state cannot be used.
    """
    options = parse(None, __doc__)
    torch.set_num_threads(options.threads)
    print("training:", shlex.join(sys.argv[1:]), json.dumps(setup(options)))
    try:
        print(f"wrote {cross_validate(options) if options.folds else train(options)}")
    except CheckpointError as err:
        raise CommandError(str(err)) from err


if __name__ == "__main__":
    sys.exit(run("training", main))
