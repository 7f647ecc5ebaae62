"""Average the weights of runs that went on from the same start: `python -m training.average characters a b`.

Their mean reads better than each of them and costs no more than one. It is calibrated on the training characters that
were held out of all runs, measured, and written with its card.

Source: Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy without
increasing inference time", section 2.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from handwriting.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from handwriting.networks import Network, build_network
from training.card import commit, read_card, read_history, write_card
from training.data import TITLES, hold_out, load_characters
from training.finish import calibrate_on, excess_of, measure_on
from training.idx import DataError
from training.options import positive
from training.recipes import RECIPES


def average(parts: Sequence[Network]) -> Network:
    """Make the network whose weights are the mean of the parts'.

    Raises:
        ValueError: they are different networks.
    """
    kinds = [(part.config.architecture, part.config.labels, dict(part.config.sizes)) for part in parts]
    if any(kind != kinds[0] for kind in kinds):
        raise ValueError(f"these are different networks: {kinds}")
    states = [part.state_dict() for part in parts]
    mean = {name: torch.stack([state[name].float() for state in states]).mean(dim=0) for name in states[0]}
    network = build_network(parts[0].config)
    network.load_state_dict({name: value.to(states[0][name].dtype) for name, value in mean.items()})
    return network.eval()


def combine(options: argparse.Namespace) -> Path:
    """Average, calibrate, measure and write as the options say, and return the path of the weights."""
    code = commit()
    network = average([load_checkpoint(path) for path in options.parts])
    data_set = network.config.normal_form
    training, held_out = hold_out(load_characters(data_set, "train"), options.hold_out, options.seed)
    balanced = RECIPES[options.model].balanced
    calibrate_on(held_out, network, excess_of(training, network.config.labels) if balanced else None)
    weights = options.weights / f"{options.model}-{options.version}.safetensors"
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(network, weights)
    test = load_characters(data_set, "test").take(slice(options.test_limit))
    sets = {TITLES[data_set, "test"]: test, f"{TITLES[data_set, 'train']}, held out": held_out}
    config = network.config
    run = {
        "version": options.version,
        "commit": code,
        "methods": [
            f"mean of the weights of {len(options.parts)} runs from the same start, whose cards are its parts",
            f"temperature {config.temperature:.3f} and balance {config.balance:g}, beside the parts' own, "
            f"fitted on {len(held_out):,} held-out characters",
        ],
        "parts": [read_card(path) for path in options.parts],
        "history": read_history(options.parts[0]),
    }
    write_card(weights, network, dict(training.files) | dict(test.files), run, measure_on(sets, network))
    return weights


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.average", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("model", choices=sorted(RECIPES), help="recogniser")
    parser.add_argument("parts", nargs="+", type=Path, help="weights to average")
    parser.add_argument("--version", default="1.0", help="MAJOR.MINOR of the weights that are written")
    parser.add_argument("--hold-out", type=positive, default=2500, help="as in the runs")
    parser.add_argument("--seed", type=int, default=0, help="as in the runs: it says which characters were held out")
    parser.add_argument("--test-limit", type=positive, help="measure on the first so many of the test set only")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder for the weights and their card")
    return parser.parse_args(arguments)


def main() -> int:
    """Average from the command line; 1 if data or weights cannot be used."""
    try:
        print(f"wrote {combine(parse())}")
    except (DataError, CheckpointError, ValueError) as err:
        print(f"average: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
