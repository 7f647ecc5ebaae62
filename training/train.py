"""Train a recogniser: `python -m training.train digits`.

Reads the data from DATA_DIR, saves its state after each epoch under runs/train/<model>/ and goes on from there
with --resume, and ends by writing weights/<model>-<version>.safetensors with its card. Every run is recorded in
MLflow's store, which `make mlflow` shows. With --folds K it cross-validates instead, and writes no weights.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from handwriting.checkpoint import CheckpointError, save_checkpoint
from handwriting.labels import NORMAL_FORMS, spellings
from handwriting.networks import Network
from training.calibrate import calibrate
from training.card import commit, read_card, write_card
from training.crossval import cross_validate
from training.data import TITLES, Characters, hold_out, load_characters, to_tensors
from training.fit import config_of, describe, fit, score
from training.idx import DataError
from training.loss import TEACHER_SHARE, TEACHER_TEMPERATURE
from training.options import parse
from training.plots import draw_history
from training.recipes import RECIPES
from training.score import score_frames
from training.tracking import Tracker, tracked
from training.trainer import Trainer, setup


def train(options: argparse.Namespace) -> Path:
    """Train as the options say, and return the path of the weights."""
    code = commit()  # before the run changes the weights in the working tree
    characters = load_characters(NORMAL_FORMS[options.model], "train").take(slice(options.limit))
    training, held_out = hold_out(characters, options.hold_out, options.seed)
    state = run_folder(options) / "state.pt"
    trainer = Trainer(options, config_of(options), len(training))
    if options.resume and state.exists():
        trainer.resume(state)
        print(f"going on after epoch {len(trainer.history)} of {state}")
    with tracked(options, setup(options) | {"commit": code}, trainer.run_id) as tracker:
        trainer.run_id = tracker.run_id
        fit(trainer, training, held_out, tracker, state)
        return finish(trainer, training, held_out, tracker, code)


def run_folder(options: argparse.Namespace) -> Path:
    """Folder of a run's state and chart."""
    return options.runs / "train" / options.model


def finish(trainer: Trainer, training: Characters, held_out: Characters, tracker: Tracker, code: str) -> Path:
    """Calibrate the weights, measure them, write them with their card, and return their path."""
    options, data_set = trainer.options, NORMAL_FORMS[trainer.options.model]
    network = trainer.trained()
    if len(held_out):
        frames, labels = to_tensors(held_out)
        excess = excess_of(training, network.config.labels) if RECIPES[options.model].balanced else None
        calibrate(network, score_frames(network, frames), labels, excess)
    weights = options.weights / f"{options.model}-{options.version}.safetensors"
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(network, weights)
    test = load_characters(data_set, "test").take(slice(options.test_limit))
    metrics = [{"set": TITLES[data_set, "test"], "n": len(test), **score(network, test)}]
    if len(held_out):
        title = f"{TITLES[data_set, 'train']}, held out"
        metrics.append({"set": title, "n": len(held_out), **score(network, held_out)})
    run = {
        "version": options.version,
        "seed": options.seed,
        "epochs": len(trainer.history),
        "commit": code,
        "methods": methods(network, options, len(held_out)),
        "teachers": [read_card(path) for path in options.teacher],
        "history": trainer.history,
    }
    card = write_card(weights, network, dict(training.files) | dict(test.files), run, metrics)
    chart = draw_history(trainer.history, f"{options.model} {options.version}", run_folder(options) / "history.png")
    tracker.log_results({f"test_{name}": metrics[0][name] for name in ("accuracy", "log_loss")}, [weights, card, chart])
    for metric in metrics:
        print(f"{metric['set']} ({metric['n']:,}): {describe(metric)}")
    return weights


def excess_of(characters: Characters, names: Sequence[str]) -> torch.Tensor:
    """Compare the classes' shares with what they were if every letter and digit, in either case, were as common.

    Returns:
        (classes,) float32 above 0; 1 where a class is as common as it should be.
    """
    counts = torch.from_numpy(characters.labels).bincount(minlength=len(names)) + 1  # none of them 0
    wanted = torch.tensor([spellings(name) for name in names])
    return counts / counts.sum() / (wanted / wanted.sum())


def methods(network: Network, options: argparse.Namespace, held_out: int) -> list[str]:
    """Say in one line each what was done beside plain training."""
    recipe = RECIPES[options.model]
    varied = f"augmentation: affine and elastic, by {recipe.strength:g} times the amounts in training/augment.py"
    lines = [
        f"{varied}; bolder or finer pen for {recipe.pen_share:.0%}, out of focus {recipe.soft_share:.0%}",
        "exponential moving average of the weights",
        f"AdamW, weight decay {recipe.weight_decay:g}, one cycle of the learning rate; layers in bfloat16",
    ]
    if recipe.mixup:
        lines.append(f"mixup of frames and labels, alpha {recipe.mixup:g}")
    if recipe.smoothing:
        lines.append(f"label smoothing {recipe.smoothing:g}")
    if options.teacher:
        lines.append(f"distillation: {TEACHER_SHARE:.0%} of the loss, at temperature {TEACHER_TEMPERATURE:g}")
    if held_out:
        lines.append(f"temperature {network.config.temperature:.3f}, fitted on {held_out:,} held-out characters")
    if network.config.balance:
        mixture = "over an even mixture of characters"
        lines.append(f"logits less {network.config.balance:g} times the log of the class's excess {mixture}")
    return lines


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
