"""The command line of `training.train`."""

import argparse
import dataclasses
import json
from pathlib import Path

import torch

from handwriting.networks import ARCHITECTURES
from training.recipes import RECIPES

RECIPE_DEFAULT = "the recogniser's own: "


def parse(arguments: list[str] | None, description: str | None) -> argparse.Namespace:
    """Read the command line; what it leaves open comes from the recogniser's recipe."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("model", choices=sorted(RECIPES), help="recogniser to train")
    add_run_options(parser)
    add_network_options(parser)
    add_place_options(parser)
    options = parser.parse_args(arguments)
    recipe = RECIPES[options.model]
    for name in ("epochs", "batch_size", "lr", "architecture", "font_drawings", "calm_share"):
        if getattr(options, name) is None:
            setattr(options, name, getattr(recipe, name))
    options.recipe = dataclasses.replace(recipe, calm_share=options.calm_share, font_drawings=options.font_drawings)
    if options.sizes is None:
        options.sizes = dict(recipe.sizes) if options.architecture == recipe.architecture else {}
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.folds == 1 or options.folds < 0:
        parser.error(f"--folds is {options.folds}; wanted 2 or more")
    return options


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how long, how fast and on what the network learns."""
    parser.add_argument("--epochs", type=positive, help=f"passes over the training data {defaults('epochs')}")
    parser.add_argument("--batch-size", type=positive, help=f"characters a step {defaults('batch_size')}")
    parser.add_argument("--lr", type=float, help=f"peak learning rate of the one-cycle schedule {defaults('lr')}")
    parser.add_argument(
        "--calm-share", type=float, help=f"share of the epochs in which frames are varied less {defaults('calm_share')}"
    )
    parser.add_argument(
        "--font-drawings",
        type=int,
        help=f"drawings of each character of each font to learn from, beside the data {defaults('font_drawings')}",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the order, the augmentation and the first weights")
    parser.add_argument("--hold-out", type=int, default=2500, help="training characters kept aside to measure on")
    parser.add_argument(
        "--patience", type=positive, default=10, help="epochs without a better held-out log loss until it stops early"
    )
    parser.add_argument(
        "--keep",
        choices=("best", "last"),
        default="best",
        help="weights of the best epoch on held-out data, or the last",
    )
    parser.add_argument("--limit", type=positive, help="use only the first so many training characters")
    parser.add_argument("--test-limit", type=positive, help="measure on the first so many of the test set only")
    parser.add_argument("--folds", type=int, default=0, help="instead, cross-validate with so many stratified folds")
    parser.add_argument("--resume", action="store_true", help="go on from the last finished epoch")


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which network learns, and from whom."""
    parser.add_argument(
        "--architecture", choices=sorted(ARCHITECTURES), help=f"of the network {defaults('architecture')}"
    )
    parser.add_argument("--sizes", type=json.loads, help='of the network as JSON, such as {"hidden": 512}')
    parser.add_argument("--start", type=Path, help="weights of such a network to go on from, instead of random ones")
    parser.add_argument(
        "--teacher", type=Path, action="append", default=[], help="larger network's weights to learn from; repeatable"
    )


def add_place_options(parser: argparse.ArgumentParser) -> None:
    """Add what says where it runs and where its files go."""
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the network runs")
    parser.add_argument("--threads", type=positive, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--version", default="1.0", help="MAJOR.MINOR of the weights that are written")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder for the weights and their card")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for states and MLflow's store")
    parser.add_argument(
        "--tracking", action=argparse.BooleanOptionalAction, default=True, help="record the run in MLflow"
    )


def defaults(name: str) -> str:
    """Describe the defaults of an option that each recipe sets itself."""
    return "(" + ", ".join(f"{model}: {getattr(recipe, name)}" for model, recipe in RECIPES.items()) + ")"


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}; wanted 1 or more")
    return number
