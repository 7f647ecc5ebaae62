"""Load the inference API with Locust, and say what it held: `make loadtest`.

Writes into loadtest/results: SHAPE.md (one page), SHAPE.html (Locust's report) and SHAPE_*.csv. Exits with 1 when an
objective of the SLO file is missed, with a line that says which. Ctrl-C ends it early and keeps what was measured.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local.settings import ROOT
from inkserve.client.tokens import KEY_FILE_VARIABLE, inference_token
from loadtest import running, summary, wrk
from loadtest.errors import LoadTestError
from loadtest.outcome import find_knee, read_failures, read_loads, read_rows
from loadtest.server import Watch, check, describe
from loadtest.shapes import PLANS
from loadtest.slo import DEFAULT, missed, read_slo
from measuring.common.drawings import KINDS

RESULTS = Path(__file__).with_name("results")
HOST = "http://127.0.0.1:8080"
MANAGEMENT = "http://127.0.0.1:8081"
METRICS = "http://127.0.0.1:8082/metrics"
KEY_FILE = ROOT / "runs" / "stack" / "key_file.json"  # of what `make up` runs, if it wants tokens
INTERRUPTED = 130  # as shells report it


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shapes = "; ".join(f"{name}: {plan.what}" for name, plan in PLANS.items())
    parser.add_argument("--shape", choices=PLANS, default="smoke", help=shapes)
    parser.add_argument("--users", type=positive, help="at most (default: the shape's)")
    parser.add_argument("--seconds", type=positive, help="of each step (default: the shape's)")
    parser.add_argument("--rounds", type=positive, default=3, help="of compare (default: %(default)s)")
    parser.add_argument("--host", default=HOST, help="of the inference API (default: %(default)s)")
    parser.add_argument("--management", help=f"of the management API (default: {MANAGEMENT}, for the default host)")
    parser.add_argument("--metrics", help=f"page of the server's metrics (default: {METRICS}, for the default host)")
    parser.add_argument("--model", default="digits", help="recogniser of digits (default: %(default)s)")
    parser.add_argument(
        "--pictures",
        choices=KINDS,
        help="drawings of 320 x 320 px, or finished frames (default: drawings; compare: frames)",
    )
    parser.add_argument("--workers", type=positive, default=1, help="processes of Locust (default: %(default)s)")
    parser.add_argument(
        "--wrk", action="store_true", help="beside a ramp, load the same server with wrk, as make bench"
    )
    parser.add_argument("--slo", type=Path, default=DEFAULT, help="objectives (default: loadtest/slo.toml)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder (default: loadtest/results)")
    parser.add_argument("--ui", action="store_true", help="open Locust's page instead")
    parser.add_argument("--web-port", type=positive, default=8089, help="of Locust's page (default: %(default)s)")
    options = parser.parse_args()
    if options.host == HOST:
        options.management, options.metrics = options.management or MANAGEMENT, options.metrics or METRICS
    options.pictures = options.pictures or ("frames" if options.shape == "compare" else "drawings")
    return options


def positive(text: str) -> int:
    """Read a whole number of 1 or more."""
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)


def main() -> int:
    """Run from the command line; 1 if an objective is missed, or the test could not be made."""
    options = parse()
    if options.host == HOST:
        os.environ.setdefault(KEY_FILE_VARIABLE, str(KEY_FILE))
    try:
        if options.shape == "compare" and not options.ui:
            from loadtest import compare  # noqa: PLC0415 - brings matplotlib, and starts servers

            return compare.main(options)
        slo = read_slo(options.slo)
        version = check(options.host, options.model)
        if options.ui:
            return running.show(options).code
        return measure(options, slo, version)
    except LoadTestError as err:
        print(f"loadtest: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nloadtest: interrupted", file=sys.stderr)
        return INTERRUPTED


def measure(options: argparse.Namespace, slo: Mapping[str, float], version: str) -> int:
    """Load the server, write what came of it, and hold it to the objectives."""
    options.out.mkdir(parents=True, exist_ok=True)
    prefix = options.out / options.shape
    settings = describe(options.management, options.model, version)
    others = [load_with_wrk(options)] if options.wrk else []
    watch = Watch(options.metrics, options.model)
    ran = running.measure(options, options.host, prefix)
    counted = watch.stop()
    others += [load_with_wrk(options)] if options.wrk and not ran.interrupted else []
    loads = read_loads(prefix)
    knee = find_knee(loads) if options.shape == "ramp" else None
    found = summary.Found(
        options,
        version,
        settings,
        ran,
        read_rows(prefix),
        read_failures(prefix),
        loads,
        knee,
        counted,
        others,
    )
    page = prefix.with_suffix(".md")
    page.write_text(summary.write(found, slo))
    print(page.read_text())
    misses = missed(slo, summary.figures(found))
    for line in misses:
        print(f"loadtest: SLO missed: {line}", file=sys.stderr)
    if ran.interrupted:
        print(f"loadtest: interrupted; what was measured until then is in {page}", file=sys.stderr)
        return INTERRUPTED
    return 1 if misses else 0


def load_with_wrk(options: argparse.Namespace) -> float:
    """Return the requests/s that wrk finds, which takes next to nothing of the machine.

    Raises:
        LoadTestError: wrk cannot be run, or the server wants a token, which would have to be on its command line.
    """
    if inference_token().current():
        raise LoadTestError("wrk sends no token; leave out --wrk, or start the server with TOKENS=off")
    return wrk.requests_per_s(f"{options.host}/predictions/{options.model}", KINDS[options.pictures]())


if __name__ == "__main__":
    sys.exit(main())
