"""Prune a recogniser: `python -m training.export.prune characters-edge --sparsity 0.3 --epochs 3`.

Sets the smallest weights to zero and fine-tunes the others, with the unpruned network as the teacher. Writes
runs/exports/<model>-<version>/pruned.safetensors, an ordinary checkpoint, with its card. The file is as large as before
and smaller only when zipped. It is not faster either, since torch multiplies by zeros as fast as by other numbers.
"""

import argparse
import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils import prune as pruning

from handwriting.checkpoint import load_checkpoint
from handwriting.networks import Network, count_parameters
from inkserve.command import run
from training.card import Card, Metric, card_path, file_size, sha256
from training.data import hold_out, load_characters, title_of
from training.export.source import Source, load_source
from training.finish import save_with_card
from training.fit import fit, score
from training.loss import TEACHER_SHARE
from training.options import RECIPES, positive
from training.provenance import commit
from training.tracking import Tracker
from training.trainer import Trainer

PRUNED_FILE = "pruned.safetensors"


def make_pruned(source: Source, options: argparse.Namespace) -> Path:
    """Prune, fine-tune, measure before, between and after, and return the path of the checkpoint.

    The probabilities follow those of the teacher, so they are not calibrated again.

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
    title = title_of(source.normal_form, "test")
    before = Metric(f"{title}, before pruning", len(test), **score(source.network, test))
    between = Metric(f"{title}, pruned, before training on", len(test), **score(start, test))
    fit(trainer, training, held_out, Tracker())
    network = trainer.trained()
    after = Metric(title, len(test), **score(network, test))
    path = options.exports / source.name / PRUNED_FILE
    zeros = count_zeros(network, masks)
    card = save_with_card(
        network,
        path,
        dict(training.files) | dict(test.files),
        version=source.version,
        seed=options.seed,
        epochs=len(trainer.history),
        commit=code,
        methods=(
            f"one-shot magnitude pruning of the smallest {options.sparsity:.0%} of all layers' weights together",
            f"fine-tuned with the zeros fixed; the unpruned network as teacher has {TEACHER_SHARE:.0%} of the loss",
        ),
        teachers=(Card.read(card_path(source.weights)).without_history(),),
        history=tuple(trainer.history),
        sparsity=zeros / sum(mask.numel() for mask in masks.values()),
        nonzero_parameters=count_parameters(network) - zeros,
        unpruned=file_size(source.weights),
        weights_sha256=sha256(source.weights),
        metrics=(after, before, between),
    )
    card = dataclasses.replace(card, bytes_zipped=file_size(path).bytes_zipped)
    card.write(card_path(path))
    report(card)
    return path


def report(card: Card) -> None:
    """Print the effect of pruning."""
    for metric in card.metrics:
        print(f"{metric.set} ({metric.n:,}): accuracy {metric.accuracy:.2%}")
    print(
        f"{card.sparsity:.1%} of the weights are zero, {card.nonzero_parameters:,} parameters are not; zipped "
        f"{card.bytes_zipped:,} bytes, unpruned {card.unpruned.bytes_zipped if card.unpruned else 0:,}"
    )


def prune(network: Network, sparsity: float) -> dict[str, torch.Tensor]:
    """Set the weights of convolutions and fully connected layers nearest to zero to zero, in place.

    Args:
        network: to be changed.
        sparsity: share of those weights, all layers together, in (0, 1).

    Returns:
        masks by the weight's name: float32 of its shape, 0 where it is pruned, else 1.

    Source: Han, Pool, Tran and Dally 2015, "Learning both weights and connections for efficient neural networks".
    """
    layers = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}
    weights = [(layer, "weight") for layer in layers.values()]
    pruning.global_unstructured(weights, pruning_method=pruning.L1Unstructured, amount=sparsity)
    masks = {f"{name}.weight": layer.weight_mask.clone() for name, layer in layers.items()}
    for layer in layers.values():
        pruning.remove(layer, "weight")
    return masks


def hold_zeros(network: nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
    """Keep pruned weights at zero in training: with a gradient of 0, neither AdamW's step nor its decay moves them."""
    parameters = dict(network.named_parameters())
    for name, mask in masks.items():
        parameters[name].register_hook(lambda gradient, mask=mask: gradient * mask)


def count_zeros(network: nn.Module, masks: Mapping[str, torch.Tensor]) -> int:
    """Count the weights that are zero, among those with a mask."""
    parameters = dict(network.named_parameters())
    return sum(int((parameters[name] == 0).sum()) for name in masks)


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
    parser.add_argument("--epochs", type=positive, default=3, help="passes over the training data after pruning")
    parser.add_argument("--batch-size", type=positive, default=128, help="characters in a batch")
    parser.add_argument("--lr", type=float, default=1e-3, help="peak learning rate of the one-cycle schedule")
    parser.add_argument("--seed", type=int, default=0, help="of the order and the augmentation")
    parser.add_argument("--hold-out", type=int, default=2500, help="training characters held out to choose the epoch")
    parser.add_argument("--limit", type=positive, help="use only the first LIMIT training characters")
    parser.add_argument("--test-limit", type=positive, help="measure only on the first TEST_LIMIT test characters")
    parser.add_argument("--threads", type=positive, default=1, help="CPU threads")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the weights")
    parser.add_argument("--exports", type=Path, default=Path("runs/exports"), help="folder for the exports")
    options = parser.parse_args(arguments)
    options.device, options.patience, options.keep = "cpu", options.epochs, "best"
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
