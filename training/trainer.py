"""A network in training: its steps, and the state that a resumed run goes on from."""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from handwriting.labels import LABELS
from handwriting.model import ConvNet, ModelConfig, load_checkpoint
from training.augment import augment

GRADIENT_NORM = 1.0
WEIGHT_DECAY = 0.02
TEACHER_SHARE = 0.8  # of the loss; the labels have the rest
TEACHER_TEMPERATURE = 3.0  # softens the teachers' probabilities, so that the lesser ones count
EMA_EPOCHS = 2  # the averaged weights forget with a time constant of so many epochs


class Trainer:
    """A network in training with all the state that a resumed run needs."""

    def __init__(self, options: argparse.Namespace, steps_per_epoch: int) -> None:
        torch.manual_seed(options.seed)
        self.options = options
        size = {"channels": tuple(options.channels), "depth": options.depth}
        self.network = ConvNet(ModelConfig(options.model, LABELS[options.model], **size))
        self.teachers = [load_checkpoint(path).to(memory_format=torch.channels_last) for path in options.teacher]
        self.network.to(memory_format=torch.channels_last)
        self.average = AveragedModel(self.network, multi_avg_fn=moving_average(steps_per_epoch), use_buffers=True)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=options.lr, weight_decay=WEIGHT_DECAY)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=options.lr, epochs=options.epochs, steps_per_epoch=steps_per_epoch, pct_start=0.15
        )
        self.history: list[dict[str, float]] = []

    def run_epoch(self, frames: torch.Tensor, labels: torch.Tensor) -> float:
        """Go once through the data in a new random order, and return the mean loss."""
        epoch = len(self.history)
        torch.manual_seed(self.options.seed * 100_003 + epoch)  # a resumed run draws what an unbroken one would have
        self.network.train()
        batches = torch.randperm(len(labels)).split(self.options.batch_size)
        total = 0.0
        with tqdm(batches, desc=f"epoch {epoch + 1}/{self.options.epochs}", unit="batch", disable=None) as progress:
            for rows in progress:
                loss = self.step(augment(frames[rows]), labels[rows])
                total += loss * len(rows)
                progress.set_postfix(loss=f"{loss:.3f}")
        return total / len(labels)

    def step(self, frames: torch.Tensor, labels: torch.Tensor) -> float:
        """Take one optimiser step on a batch, and return its loss."""
        frames = frames.contiguous(memory_format=torch.channels_last)
        logits = run_in_bfloat16(self.network, frames)
        loss = functional.cross_entropy(logits, labels)
        if self.teachers:
            with torch.no_grad():
                taught = [run_in_bfloat16(teacher, frames) for teacher in self.teachers]
            loss = torch.lerp(loss, distillation_loss(logits, taught), TEACHER_SHARE)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.network)
        return loss.item()

    def save(self, path: Path) -> None:
        """Write the state so that a kill at any moment leaves either the old file or the new one."""
        state = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimizer", "schedule")}
        partial = path.with_suffix(".partial")
        torch.save(state | {"history": self.history, "setup": setup(self.options)}, partial)
        partial.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a saved state.

        Raises:
            ValueError: it was saved by a run with other options.
        """
        state = torch.load(path, weights_only=True)
        if state["setup"] != setup(self.options):
            raise ValueError(f"{path} was made with {state['setup']}, not {setup(self.options)}")
        for name in ("network", "average", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.history = state["history"]


def run_in_bfloat16(network: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Score frames, with the arithmetic of the layers in bfloat16 and (N, labels) float32 logits for the loss.

    Probabilities rounded to bfloat16 do not add up to 1; as a teacher's they drive the student's logits to infinity.
    """
    with torch.autocast("cpu", torch.bfloat16):
        return network(frames).float()


def distillation_loss(logits: torch.Tensor, taught: list[torch.Tensor]) -> torch.Tensor:
    """Compare a student's logits with the mean of its teachers' probabilities for the same frames.

    Args:
        logits: (N, labels) float32, the student's.
        taught: (N, labels) float32 logits, one for each teacher.

    Source: Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network", section 2.
    """
    soft = torch.stack([(each / TEACHER_TEMPERATURE).softmax(dim=1) for each in taught]).mean(dim=0)
    student = (logits / TEACHER_TEMPERATURE).log_softmax(dim=1)
    return functional.kl_div(student, soft, reduction="batchmean") * TEACHER_TEMPERATURE**2


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
    """Return the options that a resumed run must share with the run that it goes on with."""
    names = ("model", "epochs", "batch_size", "lr", "seed", "hold_out", "limit", "channels", "depth")
    return {name: getattr(options, name) for name in names} | {"teacher": [str(path) for path in options.teacher]}
