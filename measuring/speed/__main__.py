"""Measure our server against its peers: `make bench`.

Starts one server after the other, round by round, so that what else the machine does meets all of them; sends the same
pictures, and writes docs/results/bench.md and bench.json. Needs wrk, from Debian's package of that name, and MNIST.
"""

import argparse
import base64
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import requests
from tqdm import tqdm

from deploy.local.errors import StackError
from deploy.local.settings import NO_PROXY
from inkserve.client.pictures import encode, from_array
from measuring.common.wrk import LoadError, run_wrk, write_bodies
from measuring.speed.peers import Contestant, Running, contestants
from measuring.speed.speed_report import print_summary, write_report
from training.data import DataError, load_characters

PICTURES = 512
CHECKED = 16
CONNECTIONS = (1, 64, 128)
WARM_UP_S = 10  # Java compiles what runs often; the others are given the same


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m measuring.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="of all servers (default: 5)")
    parser.add_argument("--seconds", type=int, default=6, help="of each load (default: 6)")
    parser.add_argument("--only", nargs="+", default=[], help="servers whose names begin so, and ours")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="folder (default: docs/results)")
    return parser.parse_args()


def main() -> int:
    """Run from the command line; 1 if something that is needed is missing."""
    options = parse()
    try:
        digits = load_characters("mnist", "test").take(slice(PICTURES))
        measure(options, [encode(from_array(image)) for image in digits.images], digits.labels)
    except (DataError, LoadError, StackError) as err:
        print(f"bench: {err}", file=sys.stderr)
        return 1
    return 0


def measure(options: argparse.Namespace, pictures: list[bytes], labels: np.ndarray) -> None:
    """Run all rounds, print and write what came of them.

    Raises:
        LoadError: wrk is missing, or failed.
    """
    chosen = [
        each
        for each in contestants()
        if not options.only or each.package == "torchserve" or each.name.startswith(tuple(options.only))
    ]
    excuses = {each.name: each.missing() for each in chosen if each.missing()}
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for as_json in (False, True):
            write_bodies(pictures, as_json, folder / str(as_json))
        turns = [(number, each) for number in range(options.rounds) for each in chosen if each.name not in excuses]
        for number, each in tqdm(turns, unit="server", disable=None):
            if each.name in excuses:
                continue
            try:
                with each.serve(each.runtime, folder) as running:
                    check(each, running, pictures, labels)
                    rows += [{"round": number} | row for row in load(each, running, folder, options.seconds)]
            except StackError as err:
                excuses[each.name] = str(err).strip().splitlines()[-1][:200]
    results = write_report(options, chosen, excuses, rows)
    print_summary(results)


def check(each: Contestant, running: Running, pictures: list[bytes], labels: np.ndarray) -> None:
    """Compare some answers with the right labels: a server that answers nonsense is quick.

    Raises:
        StackError: more than one is wrong.
    """
    wrong = 0
    for picture, label in zip(pictures[:CHECKED], labels[:CHECKED], strict=True):
        body = {"json": {"b64": base64.b64encode(picture).decode()}} if each.as_json else {"data": picture}
        answer = requests.post(running.url, timeout=20, proxies=NO_PROXY, **body)
        wrong += answer.json().get("label") != str(label)
    if wrong > 1:
        raise StackError(f"{each.name} reads {wrong} of {CHECKED} digits wrong")


def load(each: Contestant, running: Running, folder: Path, seconds: int) -> list[dict]:
    """Warm a server up, and measure it at each number of connections."""
    bodies = folder / str(each.as_json)
    run_wrk(running.url, bodies, each.as_json, max(CONNECTIONS), WARM_UP_S)
    rows = []
    for connections in CONNECTIONS:
        found = run_wrk(running.url, bodies, each.as_json, connections, seconds)
        row = {"server": each.name, "connections": connections, "memory_mib": running.memory_mib()}
        rows.append(row | asdict(found))
    return rows


if __name__ == "__main__":
    sys.exit(main())
