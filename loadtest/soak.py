"""A steady load for long, at a share of what the server holds, with memory and descriptors watched: `make soak`.

Starts a server with all recognisers of its own. Writes docs/results/soak.md, soak.json and soak.png. Exit code 1 if a
criterion is not met, with a line for each.
"""

import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Self

import psutil
from matplotlib.figure import Figure

from deploy.local.settings import ROOT
from deploy.local.stack import Stack
from inkserve.command import run
from inkserve.management import Management
from loadtest import locust_run
from loadtest.load_shapes import RATE_PER_S
from loadtest.locust_run import LoadTestError, find_knee, read_failures, read_loads, read_rows
from measuring.common.command_line import parser_of
from measuring.common.criteria import Criterion, criteria_table, exit_code
from measuring.common.results_page import when_and_where, write_results
from measuring.common.temporary_server import process_of, running_stack
from training.plots import draw

NAME = "soak"
SHARE = 0.7  # of the knee
RAMP = {"users": 64, "seconds": 8}  # of each step, to find the knee
POLL_S = 5.0
MAX_GROWTH = 0.05  # of a process's memory, from the second quarter of the time to the last
MAX_NEW_DESCRIPTORS = 10
FRONT_END = "front end"
MIB = 2**20


@dataclass(frozen=True)
class Sample:
    """Memory and descriptors of all processes at one moment.

    Attributes:
        time_s: since the load began.
        memory_bytes: resident memory, by process.
        descriptors: open descriptors, by process.
    """

    time_s: float
    memory_bytes: Mapping[str, int]
    descriptors: Mapping[str, int]


@dataclass(frozen=True)
class Soaked:
    """What a soak found.

    Attributes:
        facts: lines on time, commit and machine.
        notes: further lines.
        criteria: that the server has to meet.
        samples: of the processes, in order.
    """

    facts: Sequence[str]
    notes: Sequence[str]
    criteria: Sequence[Criterion]
    samples: Sequence[Sample]


class Sampler:
    """Samples processes each POLL_S while its context is open."""

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
            memory = {name: each.memory_info().rss for name, each in alive.items()}
            descriptors = {name: each.num_fds() for name, each in alive.items()}
            self.samples.append(Sample(time.monotonic() - began, memory, descriptors))


def soak(minutes: float) -> Soaked:
    """Find the knee of a server with all recognisers, and load it with SHARE of that.

    Raises:
        LoadTestError: there is no knee, or Locust fails.
        StackError: the server does not start.
    """
    facts = when_and_where()
    archives = sorted((ROOT / "model_store").glob("*.mar"))
    with running_stack(*archives) as stack, tempfile.TemporaryDirectory() as folder:
        host, ramp, steady = stack.settings.url("INFERENCE_PORT"), Path(folder) / "ramp", Path(folder) / "steady"
        locust_run.measure(_options("ramp", **RAMP), host, ramp)
        knee = find_knee(read_loads(ramp))
        if knee is None:
            raise LoadTestError("the ramp found no knee: all its steps were too short to count")
        users = max(1, round(SHARE * knee.requests_per_s / RATE_PER_S))
        with Sampler(processes_of(stack)) as sampler:
            locust_run.measure(_options("steady", users, round(60 * minutes)), host, steady)
        total, failures = read_rows(steady)[-1], read_failures(steady)
    load = (
        f"{minutes:g} minutes with {users * RATE_PER_S} requests/s asked for, {SHARE:.0%} of the knee "
        f"({knee.users} users, {knee.requests_per_s:,.0f} requests/s): {total.requests_per_s:,.0f} requests/s, "
        f"p50 {total.p50_ms:.0f} ms, p99 {total.p99_ms:.0f} ms"
    )
    failed = Criterion("failures", "0", f"{total.failures:,} of {total.requests:,} requests", not total.failures)
    notes = [load, *(f"{count:,} x {what}" for what, count in failures.items())]
    return Soaked(facts, notes, [failed, *judge_processes(sampler.samples)], sampler.samples)


def processes_of(stack: Stack) -> Mapping[str, psutil.Process]:
    """Return TorchServe's front end and its workers, by the version that each serves.

    Raises:
        StackError: the front end has ended.
    """
    versions = Management(stack.settings.url("MANAGEMENT_PORT")).versions()
    workers = {f"{each.name} worker {worker.id}": worker.pid for each in versions for worker in each.workers}
    return {FRONT_END: process_of(stack)} | {name: psutil.Process(pid) for name, pid in workers.items()}


def judge_processes(samples: Sequence[Sample]) -> Sequence[Criterion]:
    """Demand that no process ends, and that memory and descriptors grow little from the second quarter to the last."""
    quarter = len(samples) // 4
    if not quarter:
        return [Criterion("samples", "at least 4", str(len(samples)), False)]
    ended = len(samples[0].memory_bytes) - len(samples[-1].memory_bytes)
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    names = late[-1].memory_bytes

    def middle(part: Sequence[Sample], key: str, name: str) -> float:
        return median(getattr(each, key)[name] for each in part)

    memory = {name: middle(late, "memory_bytes", name) / middle(early, "memory_bytes", name) - 1 for name in names}
    descriptors = {name: middle(late, "descriptors", name) - middle(early, "descriptors", name) for name in names}
    worst, widest = max(memory, key=memory.__getitem__), max(descriptors, key=descriptors.__getitem__)
    wanted = f"< +{MAX_GROWTH:.0%} from the second quarter to the last"
    growth, more = f"{memory[worst]:+.1%} ({worst})", f"{descriptors[widest]:+g} ({widest})"
    is_bounded, at_most = descriptors[widest] <= MAX_NEW_DESCRIPTORS, f"at most {MAX_NEW_DESCRIPTORS} more"
    return [
        Criterion("processes that ended", "0", str(ended), not ended),
        Criterion("memory of the process that grew most", wanted, growth, memory[worst] < MAX_GROWTH),
        Criterion("descriptors of the process that grew most", at_most, more, is_bounded),
    ]


def write_report(folder: Path, soaked: Soaked) -> str:
    """Write the page, its record and its chart, and return the page."""
    lines = ["# Soak: steady load for a long time", "", "`make soak` writes this page.", ""]
    lines += [*(f"- {line}" for line in [*soaked.facts, *soaked.notes]), "", *criteria_table(soaked.criteria)]
    if soaked.samples:
        draw(folder / f"{NAME}.png", (8, 4), lambda figure: paint_memory(figure, soaked.samples))
        lines += ["", f"![Memory of each process during the soak]({NAME}.png)"]
    return write_results(folder / NAME, asdict(soaked), lines)


def paint_memory(figure: Figure, samples: Sequence[Sample]) -> None:
    """Draw the memory of each process over time."""
    axes = figure.subplots()
    for name in samples[-1].memory_bytes:
        own = [each for each in samples if name in each.memory_bytes]
        axes.plot([each.time_s / 60 for each in own], [each.memory_bytes[name] / MIB for each in own], label=name)
    axes.set(xlabel="minutes of steady load", ylabel="resident memory, MiB")
    axes.set_ylim(0, 1.1 * max(max(each.memory_bytes.values()) for each in samples) / MIB)
    axes.legend(ncols=3, fontsize="small", frameon=False)


def _options(shape: str, users: int, seconds: int) -> Namespace:
    return Namespace(shape=shape, users=users, seconds=seconds, model="digits", pictures="drawings", workers=1)


def main() -> int:
    """Run from the command line; 1 if a criterion is not met."""
    options = parser_of("loadtest.soak", __doc__, minutes=20.0).parse_args()
    soaked = soak(options.minutes)
    print(write_report(options.out, soaked))
    return exit_code(NAME, soaked.criteria)


if __name__ == "__main__":
    sys.exit(run(NAME, main))
