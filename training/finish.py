"""What becomes of a trained network: it is calibrated, measured, and written with its card."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from handwriting.checkpoint import save_checkpoint
from handwriting.labels import spellings
from handwriting.networks import Network
from training.calibrate import calibrate
from training.card import read_card, read_history, write_card
from training.data import TITLES, Characters, load_characters, to_tensors
from training.fit import describe, score
from training.loss import TEACHER_SHARE, TEACHER_TEMPERATURE
from training.plots import draw_history
from training.score import score_frames
from training.tracking import Tracker
from training.trainer import CALM_STRENGTH, WEIGHT_DECAY, Trainer


def finish(trainer: Trainer, training: Characters, held_out: Characters, tracker: Tracker, code: str) -> Path:
    """Calibrate the weights, measure them, write them with their card, and return their path.

    Args:
        trainer: at the end of its run.
        training: what it learned from.
        held_out: what to calibrate on and to measure beside the test set; may be empty.
        tracker: is told of the results.
        code: commit that the run began with.
    """
    options = trainer.options
    network = trainer.trained()
    if len(held_out):
        calibrate_on(held_out, network, excess_of(training, network.config.labels) if options.recipe.balanced else None)
    weights = options.weights / f"{options.model}-{options.version}.safetensors"
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(network, weights)

    data_set = network.config.normal_form
    test = load_characters(data_set, "test").take(slice(options.test_limit))
    sets = {TITLES[data_set, "test"]: test, f"{TITLES[data_set, 'train']}, held out": held_out}
    metrics = measure_on(sets, network)
    before = {"start": read_card(options.start)} if options.start else {}
    history = [*(read_history(options.start) if options.start else []), *trainer.history]
    run = {
        "version": options.version,
        "seed": options.seed,
        "epochs": len(trainer.history),
        "commit": code,
        "methods": methods(network, options, len(held_out)),
        **before,
        "teachers": [read_card(path) for path in options.teacher],
        "history": history,
    }
    card = write_card(weights, network, dict(training.files) | dict(test.files), run, metrics)
    chart = draw_history(history, f"{options.model} {options.version}", run_folder(options) / "history.png")
    tracker.log_results({f"test_{name}": metrics[0][name] for name in ("accuracy", "log_loss")}, [weights, card, chart])
    return weights


def run_folder(options: argparse.Namespace) -> Path:
    """Folder of a run's state and chart."""
    return options.runs / "train" / options.model


def calibrate_on(characters: Characters, network: Network, excess: torch.Tensor | None) -> None:
    """Calibrate a network on characters that it has not learned from; see `calibrate`."""
    frames, labels = to_tensors(characters)
    calibrate(network, score_frames(network, frames), labels, excess)


def measure_on(sets: Mapping[str, Characters], network: Network) -> list[dict[str, object]]:
    """Measure a network on each set that is not empty, print the figures, and return one row for each."""
    rows = [{"set": title, "n": len(each), **score(network, each)} for title, each in sets.items() if len(each)]
    for row in rows:
        print(f"{row['set']} ({row['n']:,}): {describe(row)}")
    return rows


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
    recipe = options.recipe
    lines = [
        "augmentation: affine and elastic (training/augment.py); "
        f"bolder or finer pen for {recipe.pen_share:.0%}, out of focus {recipe.soft_share:.0%}",
        "exponential moving average of the weights",
        f"AdamW, weight decay {WEIGHT_DECAY:g}, one cycle of the learning rate; layers in bfloat16",
    ]
    if recipe.font_drawings:
        lines.append(
            f"beside the data {recipe.font_drawings} drawings of each letter and digit of each font in training/fonts"
        )
    if recipe.calm_share:
        lines.append(
            f"frames varied by {CALM_STRENGTH:g} times as much in the last {recipe.calm_share:.0%} of the epochs"
        )
    if recipe.turns_deg:
        turns = " and ".join(f"{angle:g}" for angle in recipe.turns_deg)
        lines.append(f"logits are the mean of {len(recipe.turns_deg) + 1} looks: upright, turned by {turns} degrees")
    if options.teacher:
        lines.append(f"distillation: {TEACHER_SHARE:.0%} of the loss, at temperature {TEACHER_TEMPERATURE:g}")
    if held_out:
        lines.append(f"temperature {network.config.temperature:.3f}, fitted on {held_out:,} held-out characters")
    if network.config.balance:
        mixture = "over an even mixture of characters"
        lines.append(f"logits less {network.config.balance:g} times the log of the class's excess {mixture}")
    return lines
