"""Bad input, faults and a soak, each with real servers of its own: `make torture`.

Writes docs/results/reliability.md. Exits with 1 if a demand is not met, with a line for each.
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
from evaluation.server import running_stack
from loadtest.errors import LoadTestError
from torture import inputs
from torture.corpus import corpus
from torture.errors import TortureError
from torture.faults import FAULTS, faulty_stack
from torture.outcome import Outcome, Row
from torture.report import write
from torture.soak import Sample, soak
from training.card import commit

PARTS = {"inputs": "Bad input", "faults": "Faults under load", "soak": "Soak"}
FAULT_SECONDS = 10.0
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
        f"{when:%Y-%m-%d %H:%M} UTC, commit {commit()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}; other work on the machine changes times, nothing else"
    ]


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m torture", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), help="parts (default: all)")
    parser.add_argument("--requests", type=int, default=inputs.REQUESTS, help="bad ones (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the bad requests (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=20.0, help="of the soak (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="folder of the page (default: docs/results, if all parts are run)")
    return parser.parse_args()


def main() -> int:
    """Run from the command line; 1 if a demand is not met, or a part could not be run."""
    options = parse()
    found: dict[str, Outcome] = {}
    samples: Sequence[Sample] = []
    try:
        if "inputs" in options.only:
            found[PARTS["inputs"]] = bad_input(options.requests, options.seed)
        if "faults" in options.only:
            found[PARTS["faults"]] = faults(FAULT_SECONDS)
        if "soak" in options.only:
            soaked = soak(options.minutes)
            found[PARTS["soak"]], samples = Outcome(soaked.rows, [], soaked.notes), soaked.samples
    except (StackError, TortureError, LoadTestError) as err:
        print(f"torture: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntorture: interrupted; nothing is written", file=sys.stderr)
        return INTERRUPTED
    complete = set(options.only) == set(PARTS)
    page = write(options.out or ROOT / ("docs/results" if complete else "runs/torture"), facts(), found, samples)
    print(page.read_text())
    missed = [row for outcome in found.values() for row in outcome.rows if not row.reached]
    for row in missed:
        print(f"torture: {row.what}: {row.found}; wanted {row.wanted}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
