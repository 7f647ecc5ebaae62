"""Prune a recogniser: `python -m training.export.prune characters-edge --sparsity 0.3 --epochs 3`.

Sets the smallest weights to zero and fine-tunes the others, with the unpruned network as the teacher. Writes
runs/exports/<model>-<version>/pruned.safetensors, an ordinary checkpoint, with its card. The file is as large as before
and smaller only when zipped. It is not faster either, since torch multiplies by zeros as fast as by other numbers.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils import prune as pruning

from handwriting.checkpoint import load_checkpoint
from handwriting.networks import Network, count_parameters
from inkserve.command import run
from training.card import card_path, file_size, sha256
from training.data import hold_out, load_characters, title_of
from training.export.source import Source, load_source
from training.finish import measured, save_with_card
from training.fit import fit
from training.loss import TEACHER_SHARE
from training.options import RECIPES, positive, training_parser
from training.tracking import Tracker
from training.trainer import Trainer

PRUNED_FILE = "pruned.safetensors"


def make_pruned(source: Source, options: argparse.Namespace) -> Path:
    """Prune, fine-tune, measure before, between and after, and return the path of the checkpoint.

    The probabilities follow those of the teacher, so they are not calibrated again.

    Raises:
        DataError: the data is missing or damaged.
    """
    characters = load_characters(source.normal_form, "train")
    training, held_out = hold_out(characters, options.hold_out, options.seed)
    training = training.take(slice(options.limit))
    test = load_characters(source.normal_form, "test").take(slice(options.test_limit))
    start = load_checkpoint(source.weights)
    prune(start, options.sparsity)
    trainer = Trainer(options, start.config, len(training), start=start)
    hold_zeros(trainer.network)
    title = title_of(source.normal_form, "test")
    before = measured(f"{title}, before pruning", source.network, test)
    between = measured(f"{title}, pruned, before training on", start, test)
    fit(trainer, training, held_out, Tracker())
    network = trainer.trained()
    after = measured(title, network, test)
    path = options.exports / source.name / PRUNED_FILE
    zeros, total = count_zeros(network)
    card = save_with_card(
        network,
        path,
        dict(training.files) | dict(test.files),
        **trainer.facts(),
        methods=(
            f"one-shot magnitude pruning of the smallest {options.sparsity:.0%} of all layers' weights together",
            f"fine-tuned with the zeros fixed; the unpruned network as teacher has {TEACHER_SHARE:.0%} of the loss",
        ),
        sparsity=zeros / total,
        nonzero_parameters=count_parameters(network) - zeros,
        unpruned=file_size(source.weights),
        weights_sha256=sha256(source.weights),
        metrics=(after, before, between),
    )
    card = dataclasses.replace(card, bytes_zipped=file_size(path).bytes_zipped)
    card.write(card_path(path))
    print(
        f"{card.sparsity:.1%} of the weights are zero, {card.nonzero_parameters:,} parameters are not; zipped "
        f"{card.bytes_zipped:,} bytes, unpruned {file_size(source.weights).bytes_zipped:,}"
    )
    return path


def prunable(network: nn.Module) -> list[nn.Module]:
    """List the layers whose weights are pruned: convolutions and fully connected layers."""
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def prune(network: Network, sparsity: float) -> None:
    """Set the weights of the prunable layers nearest to zero to zero, in place.

    Args:
        network: to be changed.
        sparsity: share of those weights, all layers together, in (0, 1).

    Source: Han, Pool, Tran and Dally 2015, "Learning both weights and connections for efficient neural networks".
    """
    weights = [(layer, "weight") for layer in prunable(network)]
    pruning.global_unstructured(weights, pruning_method=pruning.L1Unstructured, amount=sparsity)
    for layer, name in weights:
        pruning.remove(layer, name)


def hold_zeros(network: nn.Module) -> None:
    """Keep weights at zero in training: with a gradient of 0, neither AdamW's step nor its decay moves them."""
    for layer in prunable(network):
        kept = layer.weight.detach() != 0
        layer.weight.register_hook(lambda gradient, kept=kept: gradient * kept)


def count_zeros(network: nn.Module) -> tuple[int, int]:
    """Count the weights of the prunable layers: those that are zero, and all."""
    weights = torch.cat([layer.weight.detach().flatten() for layer in prunable(network)])
    return int((weights == 0).sum()), len(weights)


def share(text: str) -> float:
    """Read a number between 0 and 1."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text}; wanted more than 0 and less than 1")
    return number


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = training_parser("training.export.prune", __doc__)
    parser.add_argument("--version", default="1.0", help="of its weights")
    parser.add_argument("--sparsity", type=share, default=0.3, help="share of the weights to set to zero")
    parser.add_argument("--hold-out", type=int, default=2500, help="training characters held out to choose the epoch")
    parser.add_argument("--limit", type=positive, help="use only the first LIMIT training characters")
    parser.add_argument("--exports", type=Path, default=Path("runs/exports"), help="folder for the exports")
    parser.set_defaults(epochs=3, batch_size=128, lr=1e-3, threads=1, device="cpu", keep="best")
    options = parser.parse_args(arguments)
    options.patience = options.epochs
    options.recipe = RECIPES[options.model]
    options.teacher = [options.weights / f"{options.model}-{options.version}.safetensors"]
    return options


def main(arguments: list[str] | None = None) -> None:
    """Prune from the command line.

    Raises:
        CommandError: weights or data cannot be used.
    """
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    print(f"wrote {make_pruned(load_source(options.teacher[0]), options)}")


if __name__ == "__main__":
    sys.exit(run("prune", main))
