"""Training epoch by epoch on given characters, and how well a network reads."""

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from handwriting.labels import LABELS, NORMAL_FORMS
from handwriting.networks import ModelConfig
from handwriting.preprocess import unit_frames
from training.data import Characters
from training.tracking import Tracker
from training.trainer import Trainer

BATCH = 1000


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


def to_tensors(characters: Characters) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn characters into what the network takes, by the same function as the handler.

    Returns:
        (N, 1, 28, 28) float32 frames in [0, 1], 1 is ink; (N,) int64 class indices.
    """
    return torch.from_numpy(unit_frames(characters.images)), torch.from_numpy(characters.labels)


def fit(
    trainer: Trainer, training: Characters, held_out: Characters, tracker: Tracker, state: Path | None = None
) -> None:
    """Train until the last epoch, or until held-out log loss has not improved for --patience epochs.

    Args:
        trainer: continues from its state.
        training: what to learn from.
        held_out: what to measure on after each epoch; may be empty.
        tracker: records each epoch.
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
        print(f"stopped early: held-out log loss has not improved for {trainer.epochs_since_best()} epochs")


def score(network: nn.Module, characters: Characters) -> dict[str, float]:
    """Measure a network on characters; see `measure`."""
    frames, labels = to_tensors(characters)
    return measure(score_frames(network, frames), labels)


@torch.inference_mode()
def score_frames(network: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Run a network in evaluation mode.

    Args:
        network: on any device.
        frames: (N, 1, 28, 28) float32 in [0, 1].

    Returns:
        (N, labels) float32 logits on the CPU.
    """
    network.eval()
    device = next(network.parameters()).device
    return torch.cat([network(batch.to(device)).cpu() for batch in frames.split(BATCH)])


def measure(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Measure logits against the right labels.

    Args:
        logits: (N, labels) float32.
        labels: (N,) int64.

    Returns:
        accuracy: share of frames whose most probable label is the right one, in [0, 1].
        mean_recall: mean over the classes that occur of the share of their frames that are read right, in [0, 1].
        log_loss: mean of -log(probability of the right label), in nats; it tells networks of equal accuracy apart.
    """
    right = logits.argmax(dim=1) == labels
    counts = labels.bincount(minlength=logits.shape[1])
    recalls = labels.bincount(weights=right.double(), minlength=logits.shape[1]) / counts
    return {
        "accuracy": right.double().mean().item(),
        "mean_recall": recalls[counts > 0].mean().item(),
        "log_loss": nn.functional.cross_entropy(logits.double(), labels).item(),
    }


def describe(figures: Mapping[str, float]) -> str:
    """Write figures in a line."""
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
