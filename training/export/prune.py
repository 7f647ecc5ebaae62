"""Prune a recogniser: `python -m training.export.prune characters-edge --sparsity 0.3 --epochs 3`.

Sets the smallest weights to zero and trains the rest on, with the unpruned network as the teacher. Writes
runs/exports/<model>-<version>/pruned.safetensors, a checkpoint like any other, with its card. The file is as large as
before and only smaller when zipped; torch multiplies by zeros as fast as by other numbers, so it is no faster either.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from handwriting.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from handwriting.networks import Network, count_parameters
from training.card import read_card, write_card
from training.data import TITLES, hold_out, load_characters
from training.export.errors import ExportError
from training.export.size import file_sizes
from training.export.source import Source, load_source, sha256
from training.export.sparsity import count_zeros, hold_zeros, prune
from training.fit import fit, score
from training.idx import DataError
from training.loss import TEACHER_SHARE
from training.options import positive
from training.provenance import commit
from training.recipes import RECIPES
from training.tracking import Tracker
from training.trainer import Trainer

PRUNED = "pruned.safetensors"


def make_pruned(source: Source, options: argparse.Namespace) -> Path:
    """Prune, train on, measure before, between and after, and return the path of the checkpoint.

    Its probabilities follow the teacher's, so they are not calibrated anew.

    Raises:
        DataError: the data is missing or damaged.
    """
    code = commit()
    characters = load_characters(source.normal_form, "train").take(slice(options.limit))
    training, held_out = hold_out(characters, options.hold_out, options.seed)
    test = load_characters(source.normal_form, "test").take(slice(options.test_limit))
    start = load_checkpoint(source.weights)
    masks = prune(start, options.sparsity)
    trainer = Trainer(options, start.config, len(training), start=start)
    hold_zeros(trainer.network, masks)
    title = TITLES[source.normal_form, "test"]
    metrics = [
        {"set": f"{title}, before pruning", "n": len(test), **score(source.network, test)},
        {"set": f"{title}, pruned, before training on", "n": len(test), **score(start, test)},
    ]
    fit(trainer, training, held_out, Tracker())
    network = trainer.trained()
    metrics.insert(0, {"set": title, "n": len(test), **score(network, test)})
    path = options.exports / source.name / PRUNED
    write(network, path)
    zeros = count_zeros(network, masks)
    run = {
        "version": source.version,
        "seed": options.seed,
        "epochs": len(trainer.history),
        "commit": code,
        "methods": [
            f"magnitude pruning at once, the least {options.sparsity:.0%} of all layers' weights together",
            f"trained on with the zeros held, and the unpruned network as teacher: {TEACHER_SHARE:.0%} of the loss",
        ],
        "teachers": [read_card(source.weights)],
        "history": trainer.history,
        "sparsity": zeros / sum(mask.numel() for mask in masks.values()),
        "nonzero_parameters": count_parameters(network) - zeros,
        "bytes_zipped": file_sizes(path)["bytes_zipped"],
        "unpruned": file_sizes(source.weights),
        "weights_sha256": sha256(source.weights),
    }
    write_card(path, network, dict(training.files) | dict(test.files), run, metrics)
    report(run, metrics)
    return path


def write(network: Network, path: Path) -> None:
    """Write a checkpoint, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_checkpoint(network, partial)
    partial.replace(path)


def report(run: Mapping[str, object], metrics: list[dict[str, object]]) -> None:
    """Print what pruning brought."""
    for metric in metrics:
        print(f"{metric['set']} ({metric['n']:,}): accuracy {metric['accuracy']:.2%}")
    print(
        f"{run['sparsity']:.1%} of the weights are zero, {run['nonzero_parameters']:,} parameters are not; zipped "
        f"{run['bytes_zipped']:,} bytes, unpruned {run['unpruned']['bytes_zipped']:,}"
    )


def share(text: str) -> float:
    """Read a number between 0 and 1."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text}; wanted more than 0 and less than 1")
    return number


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.export.prune",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("model", choices=sorted(RECIPES), help="recogniser to prune")
    parser.add_argument("--version", default="1.0", help="of its weights")
    parser.add_argument("--sparsity", type=share, default=0.3, help="share of the weights to set to zero")
    parser.add_argument("--epochs", type=positive, default=3, help="passes over the training data afterwards")
    parser.add_argument("--batch-size", type=positive, default=128, help="characters a step")
    parser.add_argument("--lr", type=float, default=1e-3, help="peak learning rate of the one-cycle schedule")
    parser.add_argument("--seed", type=int, default=0, help="of the order and the augmentation")
    parser.add_argument("--hold-out", type=int, default=2500, help="training characters kept aside to choose the epoch")
    parser.add_argument("--limit", type=positive, help="use only the first so many training characters")
    parser.add_argument("--test-limit", type=positive, help="measure on the first so many of the test set only")
    parser.add_argument("--threads", type=positive, default=1, help="CPU threads")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the weights")
    parser.add_argument("--exports", type=Path, default=Path("runs/exports"), help="folder for the exports")
    options = parser.parse_args(arguments)
    options.device, options.patience, options.keep = "cpu", options.epochs, "best"
    options.recipe = RECIPES[options.model]
    options.teacher = [options.weights / f"{options.model}-{options.version}.safetensors"]
    return options


def main(arguments: list[str] | None = None) -> int:
    """Prune from the command line; 1 if weights or data cannot be used."""
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    try:
        print(f"wrote {make_pruned(load_source(options.teacher[0]), options)}")
    except (DataError, CheckpointError, ExportError) as err:
        print(f"prune: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
