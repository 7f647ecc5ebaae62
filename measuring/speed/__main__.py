"""Compare Inkserve with other servers: `make bench`.

Starts and warms up all servers, and sends each load to one after the other, round by round, so that other work on the
machine affects all of them. Sends the same pictures, from frames to photographs, and writes docs/results/bench.md and
bench.json. Needs wrk (the package wrk in Debian) and MNIST.
"""

import base64
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from itertools import product
from pathlib import Path

import requests
from tqdm import tqdm

from deploy.local.settings import NO_PROXY, StackError
from inkserve.command import run
from measuring.common.command_line import parser_of
from measuring.common.example_digits import Picture
from measuring.common.load_pictures import KINDS
from measuring.common.results_page import Row
from measuring.common.wrk import run_wrk, write_bodies
from measuring.speed.bench_page import page_lines, write_report
from measuring.speed.digit_requests import encoded, mnist_frames
from measuring.speed.peer_servers import PeerServer, Running, all_servers

CHECKED = 16
LOADS = [(kind, connections) for kind in ("frames", "drawings") for connections in (1, 64, 128)]
LOADS += [("crops", 64), ("photographs", 64)]  # kind of picture, connections
PAUSE_S = 2  # before each load: a server still reads what wrk left when it closed its connections
WARM_UP_S = 60  # at full load, after which Java has compiled what a request needs; the others get the same


def main() -> int:
    """Run from the command line."""
    parser = parser_of("measuring.speed", __doc__, rounds=5, seconds=6)
    parser.add_argument("--only", nargs="+", default=[], help="beginnings of server names; Inkserve runs always")
    options = parser.parse_args()
    measure(options, pictures_to_send())
    return 0


def pictures_to_send() -> Mapping[str, Sequence[Picture]]:
    """Return the pictures of each kind: frames of MNIST, and the project's own drawings as they are and on paper.

    Raises:
        DataError: MNIST is missing.
    """
    frames, labels = mnist_frames()
    mnist = [
        Picture(str(number), content, str(label))
        for number, (content, label) in enumerate(zip(encoded(frames), labels, strict=True))
    ]
    return {kind: mnist if kind == "frames" else KINDS[kind]() for kind in dict(LOADS)}


def measure(options: Namespace, pictures: Mapping[str, Sequence[Picture]]) -> None:
    """Run all rounds, write and print the results.

    Raises:
        WrkError: wrk is missing, or failed.
    """
    ours, *peers = all_servers()
    servers = [ours, *(each for each in peers if not options.only or each.name.startswith(tuple(options.only)))]
    not_run = {each.name: each.missing() for each in servers if each.missing()}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as started:
        folder = Path(name)
        for as_json in (False, True):
            for kind, some in pictures.items():
                write_bodies([each.content for each in some], as_json, bodies_of(folder, kind, as_json))
        there = [each for each in servers if each.name not in not_run]
        running: list[tuple[PeerServer, Running]] = []
        for each in tqdm(there, "warm-up", unit="server", disable=None):
            try:
                running.append((each, started.enter_context(warm_server(each, folder, pictures))))
            except StackError as err:
                not_run[each.name] = str(err).strip().splitlines()[-1][:200]
        for number, load in tqdm(list(product(range(options.rounds), LOADS)), "rounds", unit="load", disable=None):
            # Forwards and backwards in turn, so that none always follows the same other one
            rows += [
                {"round": number, **measure_load(each, answering, folder, load, options.seconds)}
                for each, answering in running[:: -1 if number % 2 else 1]
            ]
    print("\n".join(page_lines(write_report(options, servers, not_run, rows))))


@contextmanager
def warm_server(each: PeerServer, folder: Path, pictures: Mapping[str, Sequence[Picture]]) -> Iterator[Running]:
    """Run a server, after its answers were checked and it was warmed up.

    Raises:
        StackError: it does not start, or reads pictures wrong.
    """
    with each.serve(each.runtime, folder) as running:
        check(each, running, pictures)
        run_wrk(running.url, bodies_of(folder, "frames", each.as_json), each.as_json, 128, WARM_UP_S)
        yield running


def bodies_of(folder: Path, kind: str, as_json: bool) -> Path:
    """Return the path of the bodies that are sent."""
    return folder / f"{kind}-{as_json}"


def check(each: PeerServer, running: Running, pictures: Mapping[str, Sequence[Picture]]) -> None:
    """Compare some answers with the right labels: wrong answers can be fast.

    Raises:
        StackError: more than one of a kind of picture is wrong.
    """
    for kind, some in pictures.items():
        wrong = 0
        for picture in some[:CHECKED]:
            content = picture.content
            body = {"json": {"b64": base64.b64encode(content).decode()}} if each.as_json else {"data": content}
            answer = requests.post(running.url, timeout=20, proxies=NO_PROXY, **body)
            wrong += answer.json().get("label") != picture.label
        if wrong > 1:
            raise StackError(f"{each.name} reads {wrong} of {len(some[:CHECKED])} {kind} wrong")


def measure_load(each: PeerServer, running: Running, folder: Path, load: tuple[str, int], seconds: int) -> Row:
    """Send one load to a server: a kind of pictures over a number of connections."""
    kind, connections = load
    time.sleep(PAUSE_S)
    found = run_wrk(running.url, bodies_of(folder, kind, each.as_json), each.as_json, connections, seconds)
    facts = {"server": each.name, "pictures": kind, "connections": connections, "memory_mib": running.memory_mib()}
    return facts | asdict(found)


if __name__ == "__main__":
    sys.exit(run("bench", main))
