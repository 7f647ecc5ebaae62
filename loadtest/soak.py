"""A steady load for long, at a share of what the server holds, with its memory and its descriptors watched."""

import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self

import psutil

from deploy.local.settings import ROOT
from deploy.local.stack import Stack
from inkserve.management import Management
from loadtest import running
from loadtest.outcome import find_knee, read_failures, read_loads, read_rows
from loadtest.shapes import RATE_PER_S
from measuring.common.temporary_server import running_stack
from measuring.reliability.errors import TortureError
from measuring.reliability.outcome import Row

SHARE = 0.7  # of the knee
RAMP = {"users": 64, "seconds": 8}  # of each step, in which the knee is looked for
POLL_S = 5.0
MOST_GROWTH = 0.05  # of a process's memory, between the second and the last quarter of the time
MOST_DESCRIPTORS = 10  # more
FRONT_END = "front end"


@dataclass(frozen=True)
class Sample:
    """One look at all processes.

    Attributes:
        time_s: since the load began.
        memory_bytes: resident, by process.
        descriptors: open, by process.
    """

    time_s: float
    memory_bytes: Mapping[str, int]
    descriptors: Mapping[str, int]


@dataclass(frozen=True)
class Soaked:
    """What came of a soak.

    Attributes:
        rows: the demands.
        notes: lines of what else there is to say.
        samples: of the processes, in order.
    """

    rows: Sequence[Row]
    notes: Sequence[str]
    samples: Sequence[Sample]


class Watch:
    """Looks at processes each POLL_S, while its context is open."""

    def __init__(self, processes: Mapping[str, psutil.Process]) -> None:
        self.processes = processes
        self.samples: list[Sample] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ended.wait(POLL_S):
            alive = {name: each for name, each in self.processes.items() if each.is_running()}
            self.samples.append(
                Sample(
                    time.monotonic() - began,
                    {name: each.memory_info().rss for name, each in alive.items()},
                    {name: each.num_fds() for name, each in alive.items()},
                )
            )


def soak(minutes: float) -> Soaked:
    """Find the knee of a server with all recognisers, and load it with SHARE of that.

    Raises:
        TortureError: there is no knee to be found.
        LoadTestError: Locust fails.
        StackError: the server does not start.
    """
    archives = sorted((ROOT / "model_store").glob("*.mar"))
    with running_stack(*archives) as stack, tempfile.TemporaryDirectory() as folder:
        host = stack.settings.url("INFERENCE_PORT")
        running.measure(_options("ramp", **RAMP), host, Path(folder) / "ramp")
        knee = find_knee(read_loads(Path(folder) / "ramp"))
        if knee is None:
            raise TortureError("the ramp found no knee: all its steps were too short to count")
        users = max(1, round(SHARE * knee.requests_per_s / RATE_PER_S))
        with Watch(processes(stack)) as watch:
            running.measure(_options("steady", users, round(60 * minutes)), host, Path(folder) / "steady")
        total, failures = read_rows(Path(folder) / "steady")[-1], read_failures(Path(folder) / "steady")
    rows = [
        Row("soak: failures", "0", f"{total.failures:,} of {total.requests:,} requests", not total.failures),
        Row("soak: processes that ended", "0", str(ended := _ended(watch.samples)), not ended),
        *growth(watch.samples),
    ]
    found = f"{total.requests_per_s:,.0f} requests/s, p50 {total.p50_ms:.0f} ms, p99 {total.p99_ms:.0f} ms"
    notes = [
        f"{minutes:g} minutes with {users * RATE_PER_S} requests/s asked for, {SHARE:.0%} of the knee "
        f"({knee.users} users, {knee.requests_per_s:,.0f} requests/s): {found}",
        *(f"{count:,} x {what}" for what, count in failures.items()),
    ]
    return Soaked(rows, notes, watch.samples)


def processes(stack: Stack) -> Mapping[str, psutil.Process]:
    """Return TorchServe's front end and its workers, by the version that each serves."""
    with Management(stack.settings.url("MANAGEMENT_PORT")) as management:
        versions = management.versions()
    workers = {
        f"{each.name} worker {worker.id}": psutil.Process(worker.pid) for each in versions for worker in each.workers
    }
    return {FRONT_END: stack.record.find("torchserve")} | workers


def growth(samples: Sequence[Sample]) -> Sequence[Row]:
    """Compare the second quarter with the last: memory and descriptors of the process that grew most."""
    quarter = len(samples) // 4
    if not quarter:
        return [Row("soak: samples", "at least 4", str(len(samples)), False)]
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    memory, descriptors = {}, {}
    for name in late[-1].memory_bytes:
        before, after = (median(each.memory_bytes[name] for each in part) for part in (early, late))
        memory[name] = after / before - 1
        before, after = (median(each.descriptors[name] for each in part) for part in (early, late))
        descriptors[name] = after - before
    worst, widest = max(memory, key=memory.__getitem__), max(descriptors, key=descriptors.__getitem__)
    return [
        Row(
            "soak: memory of the process that grew most",
            f"< +{MOST_GROWTH:.0%} from the second quarter to the last",
            f"{memory[worst]:+.1%} ({worst})",
            memory[worst] < MOST_GROWTH,
        ),
        Row(
            "soak: descriptors of the process that grew most",
            f"at most {MOST_DESCRIPTORS} more",
            f"{descriptors[widest]:+g} ({widest})",
            descriptors[widest] <= MOST_DESCRIPTORS,
        ),
    ]


def _ended(samples: Sequence[Sample]) -> int:
    return len(samples[0].memory_bytes) - len(samples[-1].memory_bytes) if samples else 0


def _options(shape: str, users: int, seconds: int) -> Namespace:
    return Namespace(shape=shape, users=users, seconds=seconds, model="digits", pictures="drawings", workers=1)
