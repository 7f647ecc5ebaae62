"""Train a recogniser: `python -m training.train digits`.

Reads the data from DATA_DIR, saves its state after each epoch under runs/train/<model>/ and goes on from there
with --resume, and ends by writing weights/<model>-<version>.safetensors with its card.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

import torch

from handwriting.labels import LABELS
from handwriting.model import CheckpointError, save_checkpoint
from training.card import commit, write_card
from training.data import Characters, DataError, hold_out, load_mnist, to_tensors
from training.score import score
from training.trainer import Trainer, setup


def train(options: argparse.Namespace) -> Path:
    """Train as the options say, and return the path of the weights."""
    code = commit()  # before the run changes the weights in the working tree
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
    return finish(trainer, held_out, code)


def measure(trainer: Trainer, characters: Characters) -> dict[str, float]:
    """Score the averaged weights."""
    return score(trainer.average.module, *to_tensors(characters))


def finish(trainer: Trainer, held_out: Characters, code: str) -> Path:
    """Write the averaged weights and their card, and return the path of the weights."""
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
        "commit": code,
        "teachers": [json.loads(path.with_suffix(".json").read_text()) for path in options.teacher],
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
