"""Train a recogniser: `python -m training.train digits`.

Reads the data from DATA_DIR, saves its state after each epoch under runs/train/<model>/ and goes on from there
with --resume, and ends by writing weights/<model>-<version>.safetensors with its card.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from handwriting.labels import LABELS
from handwriting.model import CheckpointError, ConvNet, ModelConfig, load_checkpoint, save_checkpoint
from training.augment import augment
from training.card import write_card
from training.data import Characters, DataError, hold_out, load_mnist, to_tensors
from training.score import score

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
        with torch.autocast("cpu", torch.bfloat16):
            frames = frames.contiguous(memory_format=torch.channels_last)
            logits = self.network(frames)
            loss = functional.cross_entropy(logits, labels)
            if self.teachers:
                loss = torch.lerp(loss, distillation_loss(logits, frames, self.teachers), TEACHER_SHARE)
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


def distillation_loss(logits: torch.Tensor, frames: torch.Tensor, teachers: list[ConvNet]) -> torch.Tensor:
    """Compare a student's logits with the mean of its teachers' probabilities for the same frames.

    Source: Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network", section 2.
    """
    with torch.no_grad():
        soft = [(teacher(frames) / TEACHER_TEMPERATURE).softmax(dim=1) for teacher in teachers]
    student = (logits / TEACHER_TEMPERATURE).log_softmax(dim=1)
    return functional.kl_div(student, torch.stack(soft).mean(dim=0), reduction="batchmean") * TEACHER_TEMPERATURE**2


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


def train(options: argparse.Namespace) -> Path:
    """Train as the options say, and return the path of the weights."""
    training, held_out = hold_out(load_mnist("train").take(slice(options.limit)), options.hold_out, options.seed)
    frames, labels = to_tensors(training)
    trainer = Trainer(options, steps_per_epoch=-(-len(labels) // options.batch_size))
    state = options.runs / "train" / options.model / "state.pt"
    state.parent.mkdir(parents=True, exist_ok=True)
    if options.resume and state.exists():
        trainer.resume(state)
        print(f"going on after epoch {len(trainer.history)} of {state}")
    while len(trainer.history) < options.epochs:
        row = {"loss": trainer.run_epoch(frames, labels)}
        if len(held_out):
            row |= {f"held_out_{name}": value for name, value in measure(trainer, held_out).items()}
        trainer.history.append(row)
        trainer.save(state)
        print(f"epoch {len(trainer.history)}: " + ", ".join(f"{name} {value:.4f}" for name, value in row.items()))
    return finish(trainer, held_out)


def measure(trainer: Trainer, characters: Characters) -> dict[str, float]:
    """Score the averaged weights."""
    return score(trainer.average.module, *to_tensors(characters))


def finish(trainer: Trainer, held_out: Characters) -> Path:
    """Write the averaged weights, their card and the training curve."""
    options = trainer.options
    network = trainer.average.module.to(memory_format=torch.contiguous_format).eval()
    weights = options.weights / f"{options.model}-{options.version}.safetensors"
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(network, weights)
    metrics = [{"set": "MNIST test", "n": len(test := load_mnist("t10k")), **measure(trainer, test)}]
    if len(held_out):
        metrics.append({"set": "MNIST train, held out", "n": len(held_out), **measure(trainer, held_out)})
    run = {
        "version": options.version,
        "seed": options.seed,
        "epochs": options.epochs,
        "loss": trainer.history[-1]["loss"],
    }
    write_card(weights, network, run, metrics)
    for metric in metrics:
        print(f"{metric['accuracy']:.2%} right, log loss {metric['log_loss']:.4f} on {metric['set']} ({metric['n']:,})")
    return weights


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("model", choices=sorted(LABELS), help="recogniser to train")
    parser.add_argument("--epochs", type=int, default=60, help="passes over the training data")
    parser.add_argument("--batch-size", type=int, default=128, help="characters a step")
    parser.add_argument("--lr", type=float, default=3e-3, help="peak learning rate of the one-cycle schedule")
    parser.add_argument("--seed", type=int, default=0, help="of the order, the augmentation and the first weights")
    parser.add_argument("--hold-out", type=int, default=5000, help="training characters kept aside to measure on")
    parser.add_argument("--channels", type=int, nargs=3, default=[32, 64, 128], help="of the convolution blocks")
    parser.add_argument("--depth", type=int, default=1, help="convolutions in each block")
    parser.add_argument(
        "--teacher", type=Path, action="append", default=[], help="larger network's weights to learn from"
    )
    parser.add_argument("--limit", type=int, default=None, help="use only the first so many training characters")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--resume", action="store_true", help="go on from the last finished epoch")
    parser.add_argument("--version", default="1.0", help="MAJOR.MINOR of the weights that are written")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder for the weights and their card")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for the state of the run")
    return parser.parse_args(arguments)


def main() -> int:
    """Train from the command line; 1 if the data or the saved state cannot be used."""
    options = parse()
    torch.set_num_threads(options.threads)
    print("training:", shlex.join(sys.argv[1:]), json.dumps(setup(options)))
    try:
        print(f"wrote {train(options)}")
    except (DataError, CheckpointError, ValueError) as err:
        print(f"training: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
