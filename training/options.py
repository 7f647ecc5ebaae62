"""The recipe of each recogniser, and the command line of `training.train`, which can change it."""

import argparse
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from handwriting.networks import ARCHITECTURES


@dataclass(frozen=True)
class Recipe:
    """The network of a recogniser, and how it is trained.

    Attributes:
        architecture: name of its network in `handwriting.networks`.
        epochs: passes over the training data.
        batch_size: characters a step.
        lr: peak learning rate.
        sizes: of the network, where they differ from the architecture's defaults.
        turns_deg: angles of test-time augmentation.
        pen_share: share of the frames that get a bolder or a finer pen: EMNIST's pen is bolder than most in use.
        soft_share: share of the frames that are blurred, like photographs.
        font_drawings: how often each letter and digit of each handwriting font is drawn as training data.
        papers: how many frames of characters on paper are learned from beside the data set (training/paper.py).
        strays: how many of what is no character of the recogniser.
        calm_share: share of the epochs, at the end, with weaker augmentation, since frames at inference have none.
        balanced: whether rare classes are favoured, as far as accuracy and mean recall together gain.
    """

    architecture: str
    epochs: int
    batch_size: int
    lr: float
    sizes: Mapping[str, Any] = field(default_factory=dict)
    turns_deg: Sequence[float] = ()
    pen_share: float = 0.1
    soft_share: float = 0.0
    font_drawings: int = 0
    papers: int = 0
    strays: int = 0
    calm_share: float = 0.0
    balanced: bool = False


RECIPES = {
    "digits": Recipe("ConvNet", epochs=40, batch_size=128, lr=3e-3, turns_deg=(6, -6), soft_share=0.1),
    "digits-tiny": Recipe("TinyNet", epochs=40, batch_size=128, lr=1e-2),
    "lenet5": Recipe("LeNet5", epochs=40, batch_size=128, lr=5e-3),
    "characters": Recipe(
        "ResidualNet",
        epochs=18,
        batch_size=256,
        lr=3e-3,
        pen_share=0.3,
        soft_share=0.1,
        font_drawings=2,
        calm_share=0.3,
        balanced=True,
    ),
    "characters-edge": Recipe("MobileNet", epochs=40, batch_size=256, lr=1e-2, pen_share=0.3, balanced=True),
}


def parse(arguments: list[str] | None, description: str | None) -> argparse.Namespace:
    """Read the command line; defaults come from the recogniser's recipe."""
    parser = training_parser("training.train", description)
    parser.epilog = "Recipes: " + "; ".join(f"{model}: {recipe}" for model, recipe in RECIPES.items())
    add_recipe_options(parser)
    add_run_options(parser)
    options = parser.parse_args(arguments)
    recipe = RECIPES[options.model]
    for name in ("epochs", "batch_size", "lr", "architecture", "font_drawings", "calm_share", "papers", "strays"):
        if getattr(options, name) is None:
            setattr(options, name, getattr(recipe, name))
    changed = {name: getattr(options, name) for name in ("calm_share", "font_drawings", "papers", "strays")}
    options.recipe = dataclasses.replace(recipe, **changed)
    if options.sizes is None:
        options.sizes = dict(recipe.sizes) if options.architecture == recipe.architecture else {}
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.folds == 1 or options.folds < 0:
        parser.error(f"--folds is {options.folds}; wanted 2 or more")
    if not 0 <= options.start_share < 1:
        parser.error(f"--start-share is {options.start_share:g}; wanted 0 to less than 1")
    if options.start_share and options.start is None:
        parser.error("--start-share is of initial weights, and there are none; wanted --start, too")
    return options


def training_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Make a parser with the options that all commands have that train a recogniser."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}", description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("model", choices=sorted(RECIPES), help="name of the recogniser")
    parser.add_argument("--epochs", type=positive, help="passes over the training data")
    parser.add_argument("--batch-size", type=positive, help="characters in a batch")
    parser.add_argument("--lr", type=float, help="peak learning rate of the one-cycle schedule")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random, such as order and augmentation")
    parser.add_argument("--test-limit", type=positive, help="measure only on the first TEST_LIMIT test characters")
    parser.add_argument("--threads", type=positive, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the weights and their cards")
    return parser


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """Add options whose default is in the recipe."""
    parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), help="of the network")
    parser.add_argument("--sizes", type=json.loads, help='of the network as JSON, such as {"hidden": 512}')
    parser.add_argument("--calm-share", type=float, help="share of the epochs, at the end, with weaker augmentation")
    parser.add_argument("--papers", type=int, help="frames of characters on paper to learn from")
    parser.add_argument("--strays", type=int, help="frames of what is no character of the recogniser")
    parser.add_argument("--font-drawings", type=int, help="training drawings of each character of each font")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add options of the run: what it starts from, when it ends, and its folders."""
    parser.add_argument("--start", type=Path, help="initial weights, of the same network (default: random)")
    parser.add_argument(
        "--start-share", type=float, default=0.0, help="share of the initial weights in the mean with the trained ones"
    )
    parser.add_argument(
        "--teacher", type=Path, action="append", default=[], help="weights of a network to distil from; repeatable"
    )
    parser.add_argument(
        "--hold-out", type=int, default=2500, help="training characters held out for early stopping and calibration"
    )
    parser.add_argument(
        "--patience", type=positive, default=10, help="epochs without a better held-out log loss before training stops"
    )
    parser.add_argument(
        "--keep",
        choices=("best", "last"),
        default="best",
        help="weights of the epoch with the best held-out log loss, or the last",
    )
    parser.add_argument("--limit", type=positive, help="use only the first LIMIT training characters")
    parser.add_argument("--folds", type=int, default=0, help="cross-validate with so many stratified folds instead")
    parser.add_argument("--resume", action="store_true", help="continue after the last finished epoch")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="of the network")
    parser.add_argument("--version", default="1.0", help="MAJOR.MINOR of the new weights")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for training states and MLflow's store")
    parser.add_argument(
        "--tracking", action=argparse.BooleanOptionalAction, default=True, help="record the run in MLflow"
    )


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}; wanted 1 or more")
    return number
