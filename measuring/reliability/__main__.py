"""Bad input, faults and a soak, each with real servers of its own: `make torture`.

Writes docs/results/reliability.md, in which a part that is not run keeps what it found before. Exits with 1 if a demand
is not met, with a line for each.
"""

import argparse
import datetime
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from deploy.local.errors import StackError
from deploy.local.settings import ROOT
from loadtest.errors import LoadTestError
from loadtest.soak import soak
from measuring.common.temporary_server import running_stack
from measuring.reliability import inputs
from measuring.reliability.corpus import corpus
from measuring.reliability.errors import TortureError
from measuring.reliability.faults import FAULTS, faulty_stack
from measuring.reliability.outcome import Outcome, Row
from measuring.reliability.report import Part, keep, write
from training.card import commit

HEADINGS = {"inputs": "Bad input", "faults": "Faults under load", "soak": "Soak"}
PARTS = tuple(HEADINGS)
FAULT_SECONDS = 10.0
RESULTS = ROOT / "docs" / "results"
INTERRUPTED = 130  # as shells report it


def bad_input(requests: int, seed: int) -> Outcome:
    """Send bad requests to a server with all recognisers."""
    with running_stack(*sorted((ROOT / "model_store").glob("*.mar"))) as stack:
        url, management_url = (stack.settings.url(port) for port in ("INFERENCE_PORT", "MANAGEMENT_PORT"))
        return inputs.run(inputs.Campaign(url, management_url, requests, seed, entries=list(corpus())))


def faults(seconds: float) -> Outcome:
    """Try all faults on one server."""
    rows: list[Row] = []
    with faulty_stack() as stack:
        for name, fault in tqdm(FAULTS.items(), desc="faults", unit="fault", disable=None):
            found = fault(stack, seconds)
            rows += found or [Row(name.replace("_", " "), "tried", "not tried: libfaketime is not installed", False)]
    return Outcome(rows, [])


def facts() -> Sequence[str]:
    """Return where and when."""
    when = datetime.datetime.now(datetime.UTC)
    return [
        f"{when:%Y-%m-%d %H:%M} UTC, commit {commit()}",
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}; "
        "other work on the machine changes times, and nothing else",
    ]


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m measuring.reliability",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="parts (default: all)")
    parser.add_argument("--requests", type=int, default=inputs.REQUESTS, help="bad ones (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the bad requests (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=20.0, help="of the soak (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the page (default: docs/results)")
    return parser.parse_args()


def main() -> int:
    """Run from the command line; 1 if a demand is not met, or a part could not be run."""
    options = parse()
    missed: list[Row] = []
    try:
        for name in PARTS:
            if name in options.only:
                part = run(name, options)
                keep(options.out, HEADINGS[name], part)
                missed += [row for row in part.outcome.rows if not row.reached]
    except (StackError, TortureError, LoadTestError) as err:
        print(f"torture: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntorture: interrupted; parts that were over are on record", file=sys.stderr)
        return INTERRUPTED
    print(write(options.out).read_text())
    for row in missed:
        print(f"torture: {row.what}: {row.found}; wanted {row.wanted}", file=sys.stderr)
    return 1 if missed else 0


def run(name: str, options: argparse.Namespace) -> Part:
    """Run one part.

    Raises:
        StackError: a server does not start.
        TortureError: there is nothing to be found.
        LoadTestError: Locust fails.
    """
    when = facts()
    if name == "soak":
        soaked = soak(options.minutes)
        return Part(when, Outcome(soaked.rows, [], soaked.notes), soaked.samples)
    return Part(when, faults(FAULT_SECONDS) if name == "faults" else bad_input(options.requests, options.seed))


if __name__ == "__main__":
    sys.exit(main())
