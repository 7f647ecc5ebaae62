"""The command lines of the measurements: what they do, rounds and seconds of a load, and the folder of the results."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

from measuring.common.results_page import RESULTS

WHAT = {
    "rounds": "in which everything is measured once", "seconds": "of each load", "minutes": "of steady load",
    "requests": "number of bad requests", "seed": "of everything random", "connections": "at the same time",
    "limit": "s for each answer", "count": "number of pages",
}  # fmt: skip


def parser_of(module: str, description: str | None, out: Path = RESULTS, **numbers: float) -> ArgumentParser:
    """Return a parser with the options that measurements share.

    Args:
        module: that `python -m` runs.
        description: of the command.
        out: default folder of the results.
        numbers: options that take a number, with their defaults, such as rounds=3.
    """
    parser = ArgumentParser(f"python -m {module}", description=description, formatter_class=RawDescriptionHelpFormatter)
    for name, default in numbers.items():
        parser.add_argument(
            f"--{name}", type=type(default), default=default, help=f"{WHAT[name]} (default: %(default)s)"
        )
    parser.add_argument("--out", type=Path, default=out, help="folder of the results (default: %(default)s)")
    return parser
