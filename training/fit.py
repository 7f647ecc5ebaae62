"""Training, epoch by epoch, on given characters."""

import argparse
from pathlib import Path

import torch

from handwriting.labels import LABELS, NORMAL_FORMS
from handwriting.networks import ModelConfig, Network
from training.data import Characters, to_tensors
from training.score import measure, score_frames
from training.tracking import Tracker
from training.trainer import Trainer


def config_of(options: argparse.Namespace) -> ModelConfig:
    """Describe the network that the options ask for."""
    return ModelConfig(
        model=options.model,
        architecture=options.architecture,
        labels=LABELS[options.model],
        normal_form=NORMAL_FORMS[options.model],
        sizes=options.sizes,
        turns_deg=options.recipe.turns_deg,
    )


def fit(
    trainer: Trainer, training: Characters, held_out: Characters, tracker: Tracker, state: Path | None = None
) -> None:
    """Train until the last epoch, or until held-out log loss has not got better for --patience epochs.

    Args:
        trainer: goes on where it is.
        training: what to learn from.
        held_out: what to measure on after each epoch, may be empty.
        tracker: is told of each epoch.
        state: file to save the trainer's state to after each epoch.
    """
    options = trainer.options
    frames, labels = torch.tensor(training.images)[:, None], torch.tensor(training.labels)
    while len(trainer.history) < options.epochs and trainer.epochs_since_best() < options.patience:
        row = {"loss": trainer.run_epoch(frames, labels)}
        if len(held_out):
            row |= {f"held_out_{name}": value for name, value in score(trainer.average.module, held_out).items()}
        trainer.end_epoch(row)
        if state is not None:
            trainer.save(state)
        tracker.log_epoch(len(trainer.history), row)
        print(f"epoch {len(trainer.history)}: {describe(row)}", flush=True)
    if len(trainer.history) < options.epochs:
        print(f"stopped early: held-out log loss is no better than {trainer.epochs_since_best()} epochs ago")


def score(network: Network, characters: Characters) -> dict[str, float]:
    """Measure a network on characters."""
    frames, labels = to_tensors(characters)
    return measure(score_frames(network, frames), labels)


def describe(row: dict[str, object]) -> str:
    """Write the figures of a row of metrics."""
    return ", ".join(f"{name} {value:.4f}" for name, value in row.items() if isinstance(value, float))
