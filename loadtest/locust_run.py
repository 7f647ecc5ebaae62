"""Locust as a process, and the CSV files that it writes: totals, failures, the load of each step, and the knee.

An interrupted test ends Locust in an orderly way, so that it writes what it has measured.
"""

import csv
import os
import resource
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from inkserve.command import CommandError
from loadtest.load_shapes import OUT_OF_DESCRIPTORS, PLANS, SETTLING_S

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
GRACE_S = 30  # for Locust to write its report
TOTAL = "Aggregated"
PERCENTILES = ("50%", "95%", "99%")
KNEE_SHARE = 0.95  # of the highest requests/s
ZIP = "ZIP of "  # begins the names of requests with many pictures, before their number


class LoadTestError(CommandError):
    """The load test could not run; the message says why."""


@dataclass(frozen=True)
class LocustExit:
    """How Locust ended.

    Attributes:
        code: exit code.
        interrupted: whether somebody ended the test.
        cores: mean number of processor cores that it used; each of its processes uses 1 at most.
    """

    code: int
    interrupted: bool
    cores: float


def show(options: Namespace) -> LocustExit:
    """Open Locust's own page until interrupted."""
    return run(
        ["--web-host", "127.0.0.1", "--web-port", str(options.web_port), "--class-picker"], options, options.host
    )


def measure(options: Namespace, host: str, prefix: Path) -> LocustExit:
    """Load a server with a shape; the results are files whose names begin with `prefix`.

    Raises:
        LoadTestError: Locust failed.
    """
    for old in prefix.parent.glob(f"{prefix.name}_*.csv"):
        old.unlink()  # not to be taken for the results of this test
    arguments = [*PLANS[options.shape].kinds, "--headless", "--csv", prefix, "--csv-full-history"]
    arguments += ["--html", prefix.with_suffix(".html"), "--only-summary", "--exit-code-on-error", "0"]
    ran = run(arguments, options, host, options.shape)
    if ran.code == OUT_OF_DESCRIPTORS:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        raise LoadTestError(
            "the load generator could open no more connections, which says nothing of the server: its limit is "
            f"{limit} open files; raise it with `ulimit -n`, or use fewer USERS"
        )
    if ran.code and not ran.interrupted:
        raise LoadTestError(f"locust ended with exit code {ran.code}; its output is above")
    return ran


def run(arguments: Sequence[str | Path], options: Namespace, host: str, shape: str = "") -> LocustExit:
    """Run Locust to its end; an interrupt is passed on to it once."""
    command = [sys.executable, "-m", "locust", "--locustfile", LOCUSTFILE, "--host", host, *arguments]
    command += ["--processes", str(options.workers)] * (options.workers > 1)
    variables = {"MODEL": options.model, "PICTURES": options.pictures, "SHAPE": shape}
    variables |= {"USERS": str(options.users or 0), "SECONDS": str(options.seconds or 0)}
    environment = os.environ | {f"LOADTEST_{name}": value for name, value in variables.items()}
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    # A new session: Ctrl-C in a terminal would reach Locust as well, and the second one ends it without a report
    child = subprocess.Popen(command, env=environment, start_new_session=True)
    interrupted = False
    try:
        code = child.wait()
    except KeyboardInterrupt:
        interrupted = True
        child.send_signal(signal.SIGINT)
        try:
            code = child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            code = child.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return LocustExit(code, interrupted, spent_s / (time.perf_counter() - began_s))


@dataclass(frozen=True)
class Row:
    """Results of one kind of request, or of all.

    Attributes:
        name: of the kind of request.
        requests: number, failed ones included.
        failures: number of failed ones.
        requests_per_s: mean.
        p50_ms: median time of a request.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
    """

    name: str
    requests: int
    failures: int
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def pictures(self) -> int:
        """Number of pictures in each request."""
        return int(self.name.removeprefix(ZIP)) if self.name.startswith(ZIP) else 1

    @property
    def pictures_per_s(self) -> float:
        """Answered pictures/s; a failed request counts as none."""
        answered = (self.requests - self.failures) / self.requests if self.requests else 0.0
        return self.pictures * answered * self.requests_per_s


@dataclass(frozen=True)
class Load:
    """Results with one number of users.

    Attributes:
        users: at the same time.
        answers: number of answers counted.
        requests_per_s: answered.
        p50_ms: median time of a request.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
    """

    users: int
    answers: int
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def read_rows(prefix: Path) -> Sequence[Row]:
    """Read Locust's totals, those of all requests last.

    Raises:
        LoadTestError: there are none.
    """
    rows = []
    for each in _read_table(prefix, "stats"):
        counts = int(each["Request Count"]), int(each["Failure Count"])
        times_ms = (float(each[percentile].replace("N/A", "nan")) for percentile in PERCENTILES)
        rows.append(Row(each["Name"], *counts, float(each["Requests/s"]), *times_ms))
    if not rows or not rows[-1].requests:
        raise LoadTestError("Locust sent no request: is the address right, and does the server run?")
    return rows


def read_failures(prefix: Path) -> Mapping[str, int]:
    """Read how often each failure came."""
    failures: Counter[str] = Counter()
    for each in _read_table(prefix, "failures"):
        failures[each["Error"]] += int(each["Occurrences"])
    return failures


def read_loads(prefix: Path) -> Sequence[Load]:
    """Read the results with each number of users, in the order of the test, without the first seconds of each step."""
    rows = [row for row in _read_table(prefix, "stats_history") if row["Name"] == TOTAL and row["User Count"] != "0"]
    steps = [list(step) for _, step in groupby(rows, key=itemgetter("User Count"))]
    return [_load_of(step) for step in steps if len(step) > SETTLING_S + 1]


def _load_of(rows: Sequence[Mapping[str, str]]) -> Load:
    """Sum up the seconds after SETTLING_S of one number of users; the percentiles are Locust's, of the same seconds."""
    first, last = rows[SETTLING_S], rows[-1]
    elapsed_s, requests, failures = (
        int(last[key]) - int(first[key]) for key in ("Timestamp", "Total Request Count", "Total Failure Count")
    )
    answered = requests - failures
    times_ms = (float(last[percentile]) for percentile in PERCENTILES)
    return Load(int(last["User Count"]), answered, answered / elapsed_s, *times_ms)


def find_knee(loads: Sequence[Load]) -> Load | None:
    """Find the fewest users with KNEE_SHARE of the highest requests/s; None where there was one number of users."""
    if len(loads) < 2:  # noqa: PLR2004
        return None
    most = max(load.requests_per_s for load in loads)
    return next(load for load in loads if load.requests_per_s >= KNEE_SHARE * most)


def _read_table(prefix: Path, name: str) -> Sequence[dict[str, str]]:
    """Read one of Locust's CSV files.

    Raises:
        LoadTestError: it is missing.
    """
    try:
        with Path(f"{prefix}_{name}.csv").open(newline="") as file:
            return list(csv.DictReader(file))
    except OSError as err:
        raise LoadTestError(f"Locust wrote no {prefix.name}_{name}.csv") from err
