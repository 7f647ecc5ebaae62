"""Locust as a process, which ends by itself when the test is interrupted, so that it writes what it has measured."""

import os
import resource
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import LoadTestError
from loadtest.shapes import PLANS

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
GRACE_S = 30  # for Locust to write its report


@dataclass(frozen=True)
class Ran:
    """How Locust ended.

    Attributes:
        code: its exit code.
        interrupted: whether somebody ended the test.
        cores: processor cores that it took on the mean, all its processes together; each takes 1 at most.
    """

    code: int
    interrupted: bool
    cores: float


def show(options: Namespace) -> Ran:
    """Open Locust's own page, until interrupted."""
    command = ["--web-host", "127.0.0.1", "--web-port", str(options.web_port), "--class-picker"]
    return run([*locust(options.host), *command, *processes(options)], options, shape="")


def measure(options: Namespace, host: str, prefix: Path) -> Ran:
    """Load a server with a shape; what came of it is in files whose names begin with `prefix`.

    Raises:
        LoadTestError: Locust failed.
    """
    for old in prefix.parent.glob(f"{prefix.name}_*.csv"):
        old.unlink()  # an earlier test's would stand for this one's, if it wrote none
    command = [*locust(host), *PLANS[options.shape].kinds, "--headless", "--csv", prefix, "--csv-full-history"]
    command += ["--html", prefix.with_suffix(".html"), "--only-summary", "--exit-code-on-error", "0"]
    ran = run([*command, *processes(options)], options, options.shape)
    if ran.code and not ran.interrupted:
        raise LoadTestError(f"locust ended with exit code {ran.code}; what it said is above")
    return ran


def locust(host: str) -> Sequence[str | Path]:
    """Return the beginning of Locust's command line."""
    return [sys.executable, "-m", "locust", "--locustfile", LOCUSTFILE, "--host", host]


def processes(options: Namespace) -> Sequence[str]:
    """Return what makes Locust a master with workers, where more than one is asked for."""
    return ["--processes", str(options.workers)] if options.workers > 1 else []


def run(command: Sequence[str | Path], options: Namespace, shape: str) -> Ran:
    """Run Locust to its end; an interrupt is passed on to it once."""
    variables = {"MODEL": options.model, "PICTURES": options.pictures, "SHAPE": shape}
    variables |= {"USERS": str(options.users or 0), "SECONDS": str(options.seconds or 0)}
    environment = os.environ | {f"LOADTEST_{name}": value for name, value in variables.items()}
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    # In a session of its own: a terminal's Ctrl-C would reach it beside ours, and the second ends it without a report
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
    return Ran(code, interrupted, spent_s / (time.perf_counter() - began_s))
