"""Load the inference API with Locust, and say what it held: `make loadtest`.

Writes into loadtest/results: SHAPE.md (one page), SHAPE.html (Locust's report) and SHAPE_*.csv. Exits with 1 when an
objective of the SLO file is missed, with a line that says which.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from loadtest import summary
from loadtest.errors import LoadTestError
from loadtest.outcome import find_knee, read_failures, read_loads, read_rows
from loadtest.server import Watch, check
from loadtest.shapes import PLANS
from loadtest.slo import DEFAULT, missed, read_slo

RESULTS = Path(__file__).with_name("results")
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
HOST = "http://127.0.0.1:8080"
METRICS = "http://127.0.0.1:8082/metrics"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shapes = "; ".join(f"{name}: {plan.what}" for name, plan in PLANS.items())
    parser.add_argument("--shape", choices=PLANS, default="smoke", help=shapes)
    parser.add_argument("--users", type=positive, help="at most (default: the shape's)")
    parser.add_argument("--seconds", type=positive, help="of each step (default: the shape's)")
    parser.add_argument("--host", default=HOST, help="of the inference API (default: %(default)s)")
    parser.add_argument("--metrics", default=METRICS, help="page of the server's metrics (default: %(default)s)")
    parser.add_argument("--model", default="digits", help="recogniser of digits (default: %(default)s)")
    parser.add_argument("--workers", type=positive, default=1, help="processes of Locust (default: %(default)s)")
    parser.add_argument("--slo", type=Path, default=DEFAULT, help="objectives (default: loadtest/slo.toml)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder (default: loadtest/results)")
    parser.add_argument("--ui", action="store_true", help="open Locust's page on http://127.0.0.1:8089 instead")
    return parser.parse_args()


def positive(text: str) -> int:
    """Read a whole number of 1 or more."""
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)


def main() -> int:
    """Run from the command line; 1 if an objective is missed, or the test could not be made."""
    options = parse()
    try:
        slo = read_slo(options.slo)
        check(options.host, options.model)
        if options.ui:
            return run([*locust(options), "--web-host", "127.0.0.1"], options, shape="")
        return measure(options, slo)
    except LoadTestError as err:
        print(f"loadtest: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nloadtest: interrupted", file=sys.stderr)
        return 130


def measure(options: argparse.Namespace, slo: dict) -> int:
    """Load the server, write what came of it, and hold it to the objectives."""
    options.out.mkdir(parents=True, exist_ok=True)
    prefix = options.out / options.shape
    command = [*locust(options), *PLANS[options.shape].kinds, "--headless", "--csv", prefix, "--csv-full-history"]
    command += ["--html", prefix.with_suffix(".html"), "--only-summary", "--exit-code-on-error", "0"]
    command += ["--processes", str(options.workers)] if options.workers > 1 else []
    watch = Watch(options.metrics, options.model)
    if run(command, options, options.shape):
        raise LoadTestError("locust failed; what it said is above")
    rows, loads = read_rows(prefix), read_loads(prefix)
    found = summary.Found(options, rows, read_failures(prefix), loads, find_knee(loads), watch.stop())
    page = prefix.with_suffix(".md")
    page.write_text(summary.write(found, slo))
    print(page.read_text())
    misses = missed(slo, summary.figures(found))
    for line in misses:
        print(f"loadtest: SLO missed: {line}", file=sys.stderr)
    return 1 if misses else 0


def locust(options: argparse.Namespace) -> Sequence[str | Path]:
    """Return the beginning of Locust's command line."""
    return [sys.executable, "-m", "locust", "--locustfile", LOCUSTFILE, "--host", options.host]


def run(command: Sequence[str | Path], options: argparse.Namespace, shape: str) -> int:
    """Run Locust; its exit code."""
    environment = os.environ | {"LOADTEST_MODEL": options.model, "LOADTEST_SHAPE": shape}
    for name, value in (("LOADTEST_USERS", options.users), ("LOADTEST_SECONDS", options.seconds)):
        environment[name] = str(value or 0)
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
