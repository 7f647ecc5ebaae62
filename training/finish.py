"""The end of a training run: calibrate the network, measure it, and write it with its card."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from handwriting.checkpoint import save_checkpoint
from handwriting.labels import spellings
from handwriting.networks import Network, count_parameters
from inkserve.files import atomic_write
from training.calibrate import calibrate
from training.card import Card, DataFile, Metric, card_path, sha256
from training.data import Characters, load_characters, title_of
from training.fit import describe, score, score_frames, to_tensors
from training.loss import TEACHER_SHARE, TEACHER_TEMPERATURE, has_bfloat16
from training.plots import draw_history
from training.provenance import command
from training.tracking import Tracker
from training.trainer import CALM_STRENGTH, WEIGHT_DECAY, Trainer


def finish(trainer: Trainer, training: Characters, held_out: Characters, tracker: Tracker) -> Path:
    """Calibrate the weights, measure them, write them with their card, and return their path.

    Args:
        trainer: at the end of its run.
        training: what it learned from.
        held_out: for calibration, and to measure beside the test set; may be empty.
        tracker: records the results.
    """
    options = trainer.options
    network = trainer.trained()
    if len(held_out):
        frames, labels = to_tensors(held_out)
        excess = excess_of(training, network.config.labels) if options.recipe.balanced else None
        calibrate(network, score_frames(network, frames), labels, excess)
    data_set = network.config.normal_form
    test = load_characters(data_set, "test").take(slice(options.test_limit))
    sets = {title_of(data_set, "test"): test, f"{title_of(data_set, 'train')}, held out": held_out}
    metrics = tuple(measured(title, network, characters) for title, characters in sets.items() if len(characters))
    start = Card.read(card_path(options.start)) if options.start else None
    history = (*((start and start.history) or ()), *trainer.history)
    weights = options.weights / f"{options.model}-{options.version}.safetensors"
    save_with_card(
        network,
        weights,
        dict(training.files) | dict(test.files),
        **trainer.facts() | {"history": history},
        methods=tuple(methods(network, options, len(held_out))),
        start=start and start.without_history(),
        metrics=metrics,
    )
    chart = draw_history(history, f"{options.model} {options.version}", run_folder(options) / "history.png")
    results = {"test_accuracy": metrics[0].accuracy, "test_log_loss": metrics[0].log_loss or 0.0}
    tracker.log_results(results, [weights, card_path(weights), chart])
    return weights


def save_with_card(network: Network, weights: Path, files: Mapping[str, str], **run: Any) -> Card:  # noqa: ANN401
    """Write a checkpoint and the card beside it, and return the card.

    Args:
        network: to write.
        weights: path of the checkpoint.
        files: sha256 of the unpacked contents of each data file.
        run: the fields of the card that describe the training run.
    """
    with atomic_write(weights) as partial:
        save_checkpoint(network, partial)
    card = Card(
        model=network.config.model,
        architecture=network.config.architecture,
        config=asdict(network.config),
        parameters=count_parameters(network),
        bytes=weights.stat().st_size,
        sha256=sha256(weights),
        data=tuple(DataFile(name, digest) for name, digest in files.items()),
        command=command(),
        **run,
    )
    card.write(card_path(weights))
    return card


def run_folder(options: argparse.Namespace) -> Path:
    """Folder of a run's state and chart."""
    return options.runs / "train" / options.model


def measured(title: str, network: Network, characters: Characters) -> Metric:
    """Measure a network on a set of characters, and print the figures."""
    figures = score(network, characters)
    print(f"{title} ({len(characters):,}): {describe(figures)}")
    return Metric(title, len(characters), **figures)


def excess_of(characters: Characters, names: Sequence[str]) -> torch.Tensor:
    """Compare the frequencies of the classes with those of a text in which each letter and digit is as common.

    Returns:
        (classes,) float32 above 0; 1 where a class is as frequent as in that text.
    """
    labels = torch.from_numpy(characters.labels)
    counts = labels[labels >= 0].bincount(minlength=len(names)) + 1  # none of them 0
    wanted = torch.tensor([spellings(name) for name in names])
    return counts / counts.sum() / (wanted / wanted.sum())


def methods(network: Network, options: argparse.Namespace, held_out: int) -> list[str]:
    """Describe in one line each what was done beside plain training."""
    recipe = options.recipe
    lines = [
        "augmentation: affine and elastic (training/augment.py); "
        f"bolder or finer pen for {recipe.pen_share:.0%}, out of focus {recipe.soft_share:.0%}",
        "exponential moving average of the weights",
        f"AdamW, weight decay {WEIGHT_DECAY:g}, one cycle of the learning rate"
        + ("; layers in bfloat16" if has_bfloat16(options.device) else ""),
    ]
    if recipe.font_drawings:
        lines.append(f"{recipe.font_drawings} drawings of each letter and digit of each font in training/fonts added")
    if recipe.papers or recipe.strays:
        lines.append(
            f"{recipe.papers:,} frames of characters on paper and {recipe.strays:,} of strays added (training/paper.py)"
        )
    if recipe.calm_share:
        lines.append(f"augmentation {CALM_STRENGTH:g} times as strong in the last {recipe.calm_share:.0%} of epochs")
    if recipe.turns_deg:
        turns = " and ".join(f"{angle:g}" for angle in recipe.turns_deg)
        lines.append(f"test-time augmentation: mean of the logits upright and turned by {turns} degrees")
    if options.start_share:
        lines.append(
            f"mean with the weights that training started from, which have a share of {options.start_share:.0%}"
        )
    if options.teacher:
        lines.append(f"distillation: {TEACHER_SHARE:.0%} of the loss, at temperature {TEACHER_TEMPERATURE:g}")
    if held_out:
        lines.append(f"temperature {network.config.temperature:.3f}, fitted on {held_out:,} held-out characters")
    if network.config.balance:
        even = "over a text in which each letter and digit is as common"
        lines.append(f"logits less {network.config.balance:g} times the log of the class's excess {even}")
    return lines
