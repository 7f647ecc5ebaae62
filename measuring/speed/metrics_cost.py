"""What counting costs at full load: `python -m measuring.speed.metrics_cost`.

Two servers with `digits`: one counts and is scraped by a Prometheus, the other does neither. They are loaded in turn,
in rounds whose order alternates; Prometheus stands still while the other server's turn lasts. Needs wrk, Prometheus and
MNIST. Writes docs/results/metrics_cost.json.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import psutil
from tqdm import tqdm

from deploy.local.errors import StackError
from deploy.local.settings import ROOT
from deploy.local.stack import Stack
from handwriting.serving.worker_metrics import OFF, SWITCH
from inkserve.client.pictures import encode, from_array
from measuring.common.temporary_server import running_stack
from measuring.common.wrk import LoadError, run_wrk, write_bodies
from measuring.speed.peers import MODEL
from measuring.speed.speed_report import spread, text
from training.data import DataError, load_characters
from training.provenance import commit, processor

ON = "on"
CONNECTIONS = 64
PICTURES = 512
WARM_UP_S = 10
BESIDE = ("metrics", "prometheus")  # of the server that counts


@contextmanager
def measured(folder: Path) -> Iterator[tuple[Stack, psutil.Process]]:
    """Run a server that counts, its metrics page, and a Prometheus that scrapes it; yield the first and the last.

    Raises:
        StackError: one does not start.
    """
    with running_stack(ROOT / "model_store" / f"{MODEL}-1.0.mar") as stack:
        own = Stack(replace(stack.settings, prometheus_data=folder / "prometheus"))
        try:
            for name in BESIDE:
                own.start(name)
            scraping = own.record.find("prometheus")
            if scraping is None:
                raise StackError("Prometheus has ended")
            yield own, scraping
        finally:
            for name in reversed(BESIDE):
                own.stop(name)


@contextmanager
def unmeasured() -> Iterator[Stack]:
    """Run a server that does not count.

    Raises:
        StackError: it does not start.
    """
    os.environ[SWITCH] = OFF
    try:
        with running_stack(ROOT / "model_store" / f"{MODEL}-1.0.mar") as stack:
            del os.environ[SWITCH]  # the server has its own copy
            yield stack
    finally:
        os.environ.pop(SWITCH, None)


def measure(rounds: int, seconds: int, bodies: Path) -> list[dict]:
    """Load both servers in turn.

    Raises:
        LoadError: wrk is missing, or failed.
        StackError: a server does not start.
    """
    rows = []
    with measured(bodies.parent) as (counting, scraping), unmeasured() as silent:
        urls = {
            name: f"{stack.settings.url('INFERENCE_PORT')}/predictions/{MODEL}"
            for name, stack in ((ON, counting), (OFF, silent))
        }
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
            scraping.send_signal(signal.SIGCONT)  # a process that stands still does not end
    return rows


def ratios(rows: Sequence[dict]) -> list[float]:
    """Return requests/s with counting to those without, for each round."""
    rates = {(row["round"], row["metrics"]): row["requests_per_s"] for row in rows}
    return [rate / rates[number, OFF] for (number, name), rate in rates.items() if name == ON]


def main() -> int:
    """Run from the command line; 1 if something that is needed is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="of both servers (default: 10)")
    parser.add_argument("--seconds", type=int, default=8, help="of each load (default: 8)")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="folder (default: docs/results)")
    options = parser.parse_args()
    try:
        images = load_characters("mnist", "test").images[:PICTURES]
        with tempfile.TemporaryDirectory() as name:
            bodies = Path(name) / "bodies"
            write_bodies([encode(from_array(image)) for image in images], False, bodies)
            rows = measure(options.rounds, options.seconds, bodies)
    except (DataError, LoadError, StackError) as err:
        print(f"metrics_cost: {err}", file=sys.stderr)
        return 1
    report(options, rows)
    return 0


def report(options: argparse.Namespace, rows: Sequence[dict]) -> None:
    """Write the rounds, and print what they come to."""
    facts = {"model": MODEL, "connections": CONNECTIONS, "rounds": options.rounds, "seconds": options.seconds}
    found = {
        "requests_per_s": {
            name: spread([row["requests_per_s"] for row in rows if row["metrics"] == name]) for name in (ON, OFF)
        },
        "on_to_off": spread(ratios(rows)),
        "errors": sum(row["errors"] for row in rows),
    }
    results = {"command": "python -m measuring.speed.metrics_cost", "commit": commit(), "processor": processor()}
    results |= facts | found | {"ratios": ratios(rows), "rows": list(rows)}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "metrics_cost.json").write_text(json.dumps(results, indent=1) + "\n")
    for name, rates in found["requests_per_s"].items():
        print(f"metrics {name:3}  {text(rates, '{:,.0f}'.format)} requests/s")
    print(f"on to off    {text(found['on_to_off'], '{:.3f}'.format)}: median (least to largest) of the rounds")
    print(f"errors       {found['errors']}")


if __name__ == "__main__":
    sys.exit(main())
