"""Load from wrk: each of its connections sends the next picture when the last one is answered (a closed loop)."""

import base64
import json
import resource
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inkserve.command import CommandError

SCRIPT = Path(__file__).with_name("post.lua")
THREADS = 1
GRACE_S = 20


class WrkError(CommandError):
    """wrk is missing, or failed; the message says which."""


@dataclass(frozen=True)
class WrkLoad:
    """The results of a load.

    Attributes:
        requests_per_s: answered.
        p50_ms: median latency of the answers.
        p99_ms: 99th percentile.
        answers: number of answers.
        errors: answers other than 2xx, broken connections, and requests that timed out.
        generator_cpu: cores that wrk itself used; near 1, wrk limits the load.
    """

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    answers: int
    errors: int
    generator_cpu: float


def write_bodies(pictures: Sequence[bytes], as_json: bool, path: Path) -> None:
    """Write the bodies for wrk, each after its length; with `as_json`, as JSON documents with base64."""
    bodies = [json.dumps({"b64": base64.b64encode(each).decode()}).encode() if as_json else each for each in pictures]
    path.write_bytes(b"".join(struct.pack(">I", len(body)) + body for body in bodies))


def run_wrk(url: str, bodies: Path, as_json: bool, connections: int, seconds: int) -> WrkLoad:
    """Send the bodies of a file in turn.

    Raises:
        WrkError: wrk is missing, or failed.
    """
    kind = "application/json" if as_json else "image/png"
    command = ["wrk", f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT), url]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(
            [*command, "--", bodies, kind], capture_output=True, text=True, timeout=seconds + GRACE_S, check=False
        )
    except FileNotFoundError as err:
        raise WrkError("wrk is not on PATH; it is the package wrk in Debian") from err
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise WrkError(f"wrk ended with exit code {done.returncode}: {done.stdout[-300:]}{done.stderr[-300:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    rate, cores = found["requests"] / found["seconds"], spent / found["seconds"]
    return WrkLoad(rate, found["p50_ms"], found["p99_ms"], found["requests"], found["errors"], cores)
