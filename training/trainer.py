"""A network in training: its steps, and its state for resuming."""

import argparse
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from handwriting.checkpoint import load_checkpoint
from handwriting.networks import ModelConfig, Network, build_network
from inkserve.command import CommandError
from inkserve.files import atomic_write
from training.augment import augment
from training.card import Card, card_path
from training.loss import loss_of
from training.provenance import commit

GRADIENT_NORM = 1.0
WEIGHT_DECAY = 0.02
WARM_UP = 0.15  # share of the run in which the learning rate rises to its peak
CALM_STRENGTH = 0.25  # of augmentation in the last epochs, where the recipe has such epochs
EMA_EPOCHS = 2  # the averaged weights forget with a time constant of so many epochs
STATEFUL = ("network", "average", "optimizer", "schedule")


class Trainer:
    """A network in training, with all the state that a resumed run needs.

    Attributes:
        average: moving average of the weights; this is what is measured and kept.
        history: one row of figures for each finished epoch.
        best: the averaged weights of the best epoch so far by held-out log loss, where there is one.
        run_id: of the run in MLflow, which a resumed run continues.
        commit: of the code at the start, before the run changes the weights in the working tree.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        config: ModelConfig,
        count: int,
        start: Network | None = None,
        start_share: float = 0.0,
    ) -> None:
        """Prepare a run.

        Args:
            options: of the command line, with the recipe.
            config: of the network.
            count: characters that an epoch goes through.
            start: network with the initial weights, instead of random ones.
            start_share: of the initial weights in their mean with the trained ones.
        """
        torch.manual_seed(options.seed)
        self.options = options
        self.device = torch.device(options.device)
        self.recipe = options.recipe
        self.network = self.place(build_network(config))
        self.start, self.start_share = start, start_share
        if start is not None:
            self.network.load_state_dict(start.state_dict())
        self.teachers = [self.place(load_checkpoint(path)) for path in options.teacher]
        for teacher in self.teachers:
            teacher.grids = None  # one look is enough: frames are augmented already
        steps = -(-count // options.batch_size)  # an epoch; the last batch may be smaller
        self.average = AveragedModel(self.network, multi_avg_fn=moving_average(steps), use_buffers=True)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=options.lr, weight_decay=WEIGHT_DECAY)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=options.lr, epochs=options.epochs, steps_per_epoch=steps, pct_start=WARM_UP
        )
        self.history: list[dict[str, float]] = []
        self.best: dict[str, torch.Tensor] = {}
        self.run_id = ""
        self.commit = commit()

    def place(self, network: Network) -> Network:
        """Move a network to the device, laid out as its convolutions run fastest."""
        return network.to(self.device, memory_format=torch.channels_last)

    def run_epoch(self, frames: torch.Tensor, labels: torch.Tensor) -> float:
        """Go once through the data in a new random order, and return the mean loss.

        Args:
            frames: (N, 1, 28, 28) uint8, 255 is ink.
            labels: (N,) int64.
        """
        epoch = len(self.history)
        torch.manual_seed(self.options.seed * 100_003 + epoch)  # a resumed run draws what an unbroken one would have
        self.network.train()
        batches = torch.randperm(len(labels)).split(self.options.batch_size)
        total = 0.0
        with tqdm(batches, desc=f"epoch {epoch + 1}/{self.options.epochs}", unit="batch", disable=None) as progress:
            for rows in progress:
                loss = self.step(frames[rows].to(self.device).float() / 255, labels[rows].to(self.device))
                total += loss * len(rows)
                progress.set_postfix(loss=f"{loss:.3f}")
        return total / len(labels)

    def step(self, frames: torch.Tensor, labels: torch.Tensor) -> float:
        """Take one optimiser step on a batch, and return its loss."""
        recipe = self.recipe
        varied = augment(frames, recipe.pen_share, recipe.soft_share, self.strength()).contiguous(
            memory_format=torch.channels_last
        )
        loss = loss_of(self.network, varied, labels, self.teachers)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.network)
        return loss.item()

    def strength(self) -> float:
        """Return the strength of augmentation in this epoch."""
        calm = len(self.history) >= (1 - self.recipe.calm_share) * self.options.epochs
        return CALM_STRENGTH if calm else 1.0

    def end_epoch(self, row: dict[str, float]) -> None:
        """Record the figures of an epoch, and its weights if they are the best on held-out characters."""
        log_losses = [earlier["held_out_log_loss"] for earlier in self.history if "held_out_log_loss" in earlier]
        if row.get("held_out_log_loss", float("inf")) < min(log_losses, default=float("inf")):
            self.best = copy.deepcopy(self.average.module.state_dict())
        self.history.append(row)

    def epochs_since_best(self) -> int:
        """Count the epochs since the lowest held-out log loss; 0 without held-out characters."""
        log_losses = [row["held_out_log_loss"] for row in self.history if "held_out_log_loss" in row]
        return len(log_losses) - 1 - log_losses.index(min(log_losses)) if log_losses else 0

    def trained(self) -> Network:
        """Return the network with the averaged weights of the best epoch, or the last as options say, on the CPU.

        With a start share, its weights are the mean with those that it started from, which keeps what the new data do
        not show. Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models".
        """
        network = copy.deepcopy(self.average.module)
        if self.best and self.options.keep == "best":
            network.load_state_dict(self.best)
        if self.start is not None and self.start_share:
            kept = self.place(self.start).state_dict()
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(kept[name], self.start_share)
        return network.to("cpu", memory_format=torch.contiguous_format).eval()

    def facts(self) -> dict[str, Any]:
        """Return what a card says about the run."""
        options, history = self.options, tuple(self.history)
        run = {"version": options.version, "seed": options.seed, "epochs": len(history), "commit": self.commit}
        teachers = tuple(Card.read(card_path(path)).without_history() for path in options.teacher)
        return run | {"teachers": teachers, "history": history}

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all."""
        state = {name: getattr(self, name).state_dict() for name in STATEFUL}
        facts = {"history": self.history, "best": self.best, "run_id": self.run_id, "setup": setup(self.options)}
        with atomic_write(path) as partial:
            torch.save(state | facts, partial)

    def resume(self, path: Path) -> None:
        """Continue from a saved state.

        Raises:
            CommandError: it was saved by a run with other options.
        """
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["setup"] != setup(self.options):
            raise CommandError(f"{path} was made with {state['setup']}, not {setup(self.options)}")
        for name in STATEFUL:
            getattr(self, name).load_state_dict(state[name])
        self.history, self.best, self.run_id = state["history"], state["best"], state["run_id"]


def moving_average(steps_per_epoch: int) -> Callable[[list[torch.Tensor], list[torch.Tensor], int], None]:
    """Make an exponential moving average of weights whose memory grows with the run up to EMA_EPOCHS.

    The growth keeps the first, random weights out of the average of a short run.
    """

    def update(averages: list[torch.Tensor], current: list[torch.Tensor], steps: int | torch.Tensor) -> None:
        memory = min(1 + int(steps) / 10, EMA_EPOCHS * steps_per_epoch)
        for average, value in zip(averages, current, strict=True):
            if average.is_floating_point():
                average.lerp_(value, 1 / memory)
            else:
                average.copy_(value)  # BatchNorm's count of batches

    return update


def setup(options: argparse.Namespace) -> dict[str, object]:
    """Return the options that a resumed run must share with the run that it continues."""
    names = ("model", "epochs", "batch_size", "lr", "seed", "hold_out", "limit", "architecture")
    from_recipe = ("pen_share", "soft_share", "font_drawings", "papers", "strays", "calm_share")
    teachers = [str(path) for path in options.teacher]
    chosen = {name: getattr(options, name) for name in names} | {"sizes": options.sizes, "teacher": teachers}
    chosen["start"] = str(options.start)
    return chosen | {name: getattr(options.recipe, name) for name in from_recipe}
