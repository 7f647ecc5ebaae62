"""Load the inference API with Locust: `make loadtest`.

Writes into loadtest/results: SHAPE.md (one page), SHAPE.html (Locust's report) and SHAPE_*.csv. Exits with 1 when an
objective of the SLO file is missed, with a line for each. Ctrl-C ends the test early and keeps what was measured.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deploy.local.settings import read_settings
from deploy.local.stack import Stack
from inkserve.client.tokens import KEY_FILE_VARIABLE, inference_token
from inkserve.command import INTERRUPTED, run
from loadtest import locust_run
from loadtest.load_shapes import PLANS
from loadtest.loadtest_page import WRK_CONNECTIONS, Found, figures, page_text
from loadtest.locust_run import LoadTestError, find_knee, read_failures, read_loads, read_rows
from loadtest.objectives import DEFAULT, missed, read_slo
from loadtest.target_server import counted_between, describe_server, read_metrics, read_version
from measuring.common.command_line import parser_of
from measuring.common.load_pictures import KINDS
from measuring.common.results_page import write_page
from measuring.common.wrk import run_wrk, write_bodies

NAME = "loadtest"
WRK_SECONDS, WRK_WARM_UP_S = 8, 3
RESULTS = Path(__file__).with_name("results")


def parse() -> argparse.Namespace:
    """Read the command line; what it does not name is of the server that runs, as `make up` has recorded it."""
    local = Stack(read_settings(os.environ)).as_running()
    parser = parser_of("loadtest", __doc__, out=RESULTS)
    shapes = "; ".join(f"{name}: {plan.what}" for name, plan in PLANS.items())
    parser.add_argument("--shape", choices=PLANS, default="smoke", help=shapes)
    parser.add_argument("--users", type=positive, help="maximum number (default: of the shape)")
    parser.add_argument("--seconds", type=positive, help="of each step (default: of the shape)")
    parser.add_argument("--rounds", type=positive, default=3, help="of compare (default: %(default)s)")
    host = local.url("INFERENCE_PORT")
    parser.add_argument("--host", default=host, help="of the inference API (default: %(default)s)")
    parser.add_argument("--management", help="of the management API (default: that of the default host)")
    parser.add_argument("--metrics", help="page of the server's metrics (default: that of the default host)")
    parser.add_argument("--model", default="digits", help="recogniser of digits (default: %(default)s)")
    pictures = "drawings of 320 x 320 px, finished frames, crops of 60 x 60 px from photographed paper, or photographs "
    pictures += "of 12 megapixels (default: drawings; compare: frames)"
    parser.add_argument("--pictures", choices=KINDS, help=pictures)
    parser.add_argument("--workers", type=positive, default=1, help="processes of Locust (default: %(default)s)")
    parser.add_argument("--wrk", action="store_true", help="before and after, load the server with wrk as well")
    parser.add_argument("--slo", type=Path, default=DEFAULT, help="objectives (default: loadtest/slo.toml)")
    parser.add_argument("--ui", action="store_true", help="open Locust's page instead")
    parser.add_argument("--web-port", type=positive, default=8089, help="of Locust's page (default: %(default)s)")
    options = parser.parse_args()
    options.key_file = local.key_file if options.host == host else None
    if options.host == host:
        options.management = options.management or local.url("MANAGEMENT_PORT")
        options.metrics = options.metrics or f"{local.url('METRICS_PORT')}/metrics"
    options.pictures = options.pictures or ("frames" if options.shape == "compare" else "drawings")
    return options


def positive(text: str) -> int:
    """Read a whole number of 1 or more."""
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r}; wanted a whole number, 1 or more")
    return int(text)


def main() -> int:
    """Run from the command line; 1 if an objective is missed."""
    options = parse()
    if options.key_file:
        os.environ.setdefault(KEY_FILE_VARIABLE, str(options.key_file))
    if options.shape == "compare" and not options.ui:
        from loadtest import batching_comparison  # noqa: PLC0415 - imports matplotlib

        return batching_comparison.compare(options)
    slo = read_slo(options.slo)
    version = read_version(options.host, options.model)
    return locust_run.show(options).code if options.ui else measure(options, slo, version)


def measure(options: argparse.Namespace, slo: Mapping[str, float], version: str) -> int:
    """Load the server, write the page, and compare the results with the objectives."""
    options.out.mkdir(parents=True, exist_ok=True)
    prefix = options.out / options.shape
    served = describe_server(options.management, options.model, version)
    wrk_rates = [load_with_wrk(options)] if options.wrk else []
    before = read_metrics(options.metrics)
    locust = locust_run.measure(options, options.host, prefix)
    counted = counted_between(before, read_metrics(options.metrics), options.model)
    wrk_rates += [load_with_wrk(options)] if options.wrk and not locust.interrupted else []
    loads = read_loads(prefix)
    knee = find_knee(loads) if options.shape == "ramp" else None
    rows, failures = read_rows(prefix), read_failures(prefix)
    found = Found(options, version, served, locust, rows, failures, loads, knee, counted, wrk_rates)
    page = prefix.with_suffix(".md")
    print(write_page(page, [page_text(found, slo)]))
    misses = missed(slo, figures(found))
    for line in misses:
        print(f"{NAME}: SLO missed: {line}", file=sys.stderr)
    if locust.interrupted:
        print(f"{NAME}: interrupted; the results until then are in {page}", file=sys.stderr)
        return INTERRUPTED
    return 1 if misses else 0


def load_with_wrk(options: argparse.Namespace) -> float:
    """Return the requests/s of wrk, which uses almost no processor time itself.

    Raises:
        WrkError: wrk is missing, or failed.
        LoadTestError: an answer was wrong, or the server wants a token, which would be visible on wrk's command line.
    """
    if inference_token().current():
        raise LoadTestError("wrk sends no token; leave out --wrk, or start the server with TOKENS=off")
    url = f"{options.host}/predictions/{options.model}"
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        write_bodies([each.content for each in KINDS[options.pictures]()], False, bodies)
        run_wrk(url, bodies, False, WRK_CONNECTIONS, WRK_WARM_UP_S)
        load = run_wrk(url, bodies, False, WRK_CONNECTIONS, WRK_SECONDS)
    if load.errors:
        raise LoadTestError(f"wrk counts {load.errors:,} errors in {load.answers:,} answers; wanted none")
    return load.requests_per_s


if __name__ == "__main__":
    sys.exit(run(NAME, main))
