"""The cost of metrics at full load: `python -m measuring.speed.metrics_cost`.

Two servers with `digits`: one counts and is scraped by Prometheus, the other does neither. They are loaded in turn, in
rounds whose order alternates; Prometheus is paused during the other server's turn. Needs wrk, Prometheus and MNIST.
Writes docs/results/metrics_cost.json.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
from tqdm import tqdm

from deploy.local.stack import Stack
from handwriting.serving.worker_metrics import OFF, SWITCH
from inkserve.command import run
from measuring.common.results_page import RESULTS, provenance, spread, spread_text, write_json
from measuring.common.temporary_server import predictions_url, process_of, running_stack
from measuring.common.wrk import run_wrk
from measuring.speed.digit_requests import ARCHIVE, MODEL, write_bodies_of_digits

Row = Mapping[str, Any]

ON = "on"
CONNECTIONS = 64
WARM_UP_S = 10
METRICS_PARTS = ("metrics", "prometheus")  # run beside the server that counts


@contextmanager
def measured(folder: Path) -> Iterator[tuple[Stack, psutil.Process]]:
    """Run a server that counts, its metrics page, and a Prometheus that scrapes it; yield the first and the last.

    Raises:
        StackError: one does not start.
    """
    with running_stack(ARCHIVE) as stack:
        own = Stack(replace(stack.settings, prometheus_data=folder / "prometheus"))
        try:
            for name in METRICS_PARTS:
                own.start(name)
            yield own, process_of(own, "prometheus")
        finally:
            for name in reversed(METRICS_PARTS):
                own.stop(name)


@contextmanager
def unmeasured() -> Iterator[Stack]:
    """Run a server that does not count.

    Raises:
        StackError: it does not start.
    """
    os.environ[SWITCH] = OFF
    try:
        with running_stack(ARCHIVE) as stack:
            del os.environ[SWITCH]  # the server has its own copy
            yield stack
    finally:
        os.environ.pop(SWITCH, None)


def measure(rounds: int, seconds: int, bodies: Path) -> list[Row]:
    """Load both servers in turn.

    Raises:
        WrkError: wrk is missing, or failed.
        StackError: a server does not start.
    """
    rows: list[Row] = []
    with measured(bodies.parent) as (counting, scraping), unmeasured() as silent:
        urls = {name: predictions_url(stack, MODEL) for name, stack in ((ON, counting), (OFF, silent))}
        turns = [
            (number, name) for number in range(rounds) for name in (list(urls) if number % 2 else list(urls)[::-1])
        ]
        try:
            for url in urls.values():
                run_wrk(url, bodies, False, CONNECTIONS, WARM_UP_S)
            for number, name in tqdm(turns, unit="turn", disable=None):
                scraping.send_signal(signal.SIGCONT if name == ON else signal.SIGSTOP)
                run_wrk(urls[name], bodies, False, CONNECTIONS, 1)  # each turn begins warm
                found = run_wrk(urls[name], bodies, False, CONNECTIONS, seconds)
                rows.append({"round": number, "metrics": name} | asdict(found))
        finally:
            scraping.send_signal(signal.SIGCONT)  # a stopped process does not end
    return rows


def ratios(rows: Sequence[Row]) -> list[float]:
    """Return requests/s with counting to those without, for each round."""
    rates = {(row["round"], row["metrics"]): row["requests_per_s"] for row in rows}
    return [rate / rates[number, OFF] for (number, name), rate in rates.items() if name == ON]


def report(options: argparse.Namespace, rows: Sequence[Row]) -> None:
    """Write the rounds and print a summary."""
    facts = {"model": MODEL, "connections": CONNECTIONS, "rounds": options.rounds, "seconds": options.seconds}
    rates = {name: spread([row["requests_per_s"] for row in rows if row["metrics"] == name]) for name in (ON, OFF)}
    ratio, errors = spread(ratios(rows)), sum(row["errors"] for row in rows)
    found = {"requests_per_s": rates, "on_to_off": ratio, "errors": errors, "ratios": ratios(rows), "rows": list(rows)}
    results = provenance("python -m measuring.speed.metrics_cost") | facts | found
    write_json(options.out / "metrics_cost.json", results)
    for name, each in rates.items():
        print(f"metrics {name:3}  {spread_text(each, '{:,.0f}'.format)} requests/s")
    print(f"on to off    {spread_text(ratio, '{:.3f}'.format)}: median (least to largest) of the rounds")
    print(f"errors       {errors}")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m measuring.speed.metrics_cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=10, help="of both servers (default: 10)")
    parser.add_argument("--seconds", type=int, default=8, help="of each load (default: 8)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder (default: docs/results)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = measure(options.rounds, options.seconds, write_bodies_of_digits(Path(name) / "bodies"))
    report(options, rows)
    return 0


if __name__ == "__main__":
    sys.exit(run("metrics_cost", main))
