"""The cost of metrics at full load: `python -m measuring.speed.metrics_cost`.

Two servers with `digits`: one counts and is scraped by Prometheus, the other does neither. They are loaded in turn, in
rounds whose order alternates; Prometheus is paused during the other server's turn. Needs wrk, Prometheus and MNIST.
Writes docs/results/metrics_cost.json.
"""

import os
import signal
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from unittest import mock

import psutil
from tqdm import tqdm

from deploy.local.stack import Stack
from handwriting.serving.worker_metrics import OFF, SWITCH
from inkserve.command import run
from measuring.common.command_line import parser_of
from measuring.common.results_page import Row, Spread, provenance, ratios, write_json
from measuring.common.temporary_server import predictions_url, process_of, running_stack
from measuring.common.wrk import run_wrk
from measuring.speed.digit_requests import ARCHIVE, MODEL, write_bodies_of_digits

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


def measure(rounds: int, seconds: int, bodies: Path) -> list[Row]:
    """Load both servers in turn.

    Raises:
        WrkError: wrk is missing, or failed.
        StackError: a server does not start.
    """
    rows: list[Row] = []
    with (
        measured(bodies.parent) as (counting, scraping),
        mock.patch.dict(os.environ, {SWITCH: OFF}),
        running_stack(ARCHIVE) as silent,
    ):
        urls = {name: predictions_url(stack, MODEL) for name, stack in ((ON, counting), (OFF, silent))}
        orders = (list(urls)[::-1], list(urls))
        turns = [(number, name) for number in range(rounds) for name in orders[number % 2]]
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


def report(options: Namespace, rows: Sequence[Row]) -> None:
    """Write the rounds and print a summary."""
    own = {name: [row for row in rows if row["metrics"] == name] for name in (ON, OFF)}
    rates = {name: Spread(row["requests_per_s"] for row in each) for name, each in own.items()}
    by_round = ratios(own[ON], own[OFF], "requests_per_s")
    ratio, errors = Spread(by_round), sum(row["errors"] for row in rows)
    facts = {"model": MODEL, "connections": CONNECTIONS, "rounds": options.rounds, "seconds": options.seconds}
    found = {"requests_per_s": rates, "on_to_off": ratio, "errors": errors, "ratios": by_round, "rows": list(rows)}
    results = provenance("python -m measuring.speed.metrics_cost") | facts | found
    write_json(options.out / "metrics_cost.json", results)
    for name, each in rates.items():
        print(f"metrics {name:3}  {each:,.0f} requests/s")
    print(f"on to off    {ratio:.3f}: median (least to largest) of the rounds")
    print(f"errors       {errors}")


def main() -> int:
    """Run from the command line."""
    options = parser_of("measuring.speed.metrics_cost", __doc__, rounds=10, seconds=8).parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = measure(options.rounds, options.seconds, write_bodies_of_digits(Path(name) / "bodies"))
    report(options, rows)
    return 0


if __name__ == "__main__":
    sys.exit(run("metrics_cost", main))
