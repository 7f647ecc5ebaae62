"""Compare Inkserve with other servers: `make bench`.

Starts the servers one after the other, round by round, so that other work on the machine affects all of them; sends the
same pictures, from frames to photographs, and writes docs/results/bench.md and bench.json. Needs wrk (the package wrk
in Debian) and MNIST.
"""

import base64
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
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
WARM_UP_S = 10  # for Java's compiler; the others get the same


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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for as_json in (False, True):
            for kind, some in pictures.items():
                write_bodies([each.content for each in some], as_json, bodies_of(folder, kind, as_json))
        turns = [(number, each) for number in range(options.rounds) for each in servers if each.name not in not_run]
        for number, each in tqdm(turns, unit="server", disable=None):
            if each.name in not_run:
                continue
            try:
                with each.serve(each.runtime, folder) as running:
                    check(each, running, pictures)
                    rows += [{"round": number, **row} for row in load(each, running, folder, options.seconds)]
            except StackError as err:
                not_run[each.name] = str(err).strip().splitlines()[-1][:200]
    print("\n".join(page_lines(write_report(options, servers, not_run, rows))))


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


def load(each: PeerServer, running: Running, folder: Path, seconds: int) -> list[Row]:
    """Warm up a server, and measure it at each load."""
    run_wrk(running.url, bodies_of(folder, "frames", each.as_json), each.as_json, 128, WARM_UP_S)
    rows: list[Row] = []
    for kind, connections in LOADS:
        found = run_wrk(running.url, bodies_of(folder, kind, each.as_json), each.as_json, connections, seconds)
        facts = {"server": each.name, "pictures": kind, "connections": connections, "memory_mib": running.memory_mib()}
        rows.append(facts | asdict(found))
    return rows


if __name__ == "__main__":
    sys.exit(run("bench", main))
