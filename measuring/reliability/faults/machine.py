"""Trouble with the machine itself."""

import os
import time
from _multiprocessing import SemLock, sem_unlink
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from unittest import mock

import requests

from deploy.local.settings import NO_PROXY
from deploy.local.stack import Stack
from measuring.reliability.faults.common import ALL_RIGHT, MODEL, asking, predictions, told, worker_pids, yes
from measuring.reliability.outcome import Row

LOGS = ("server.log", "workers.log", "requests.log", "access.log", "metrics.log")
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
JUMPS = ("+2h", "-1d", "+0")


def disk_full(stack: Stack, seconds: float) -> Sequence[Row]:
    """Start with logs on a disk that is always full."""
    stack.stop("torchserve")
    logs = stack.settings.logs
    for name in LOGS:
        (logs / name).unlink(missing_ok=True)
        (logs / name).symlink_to("/dev/full")
    try:
        stack.start("torchserve")
        url = predictions(stack, MODEL)
        with asking(stack) as load:
            time.sleep(seconds)
            bad = requests.post(url, data=b"no picture", timeout=20, proxies=NO_PROXY).status_code
            load.wait_for_answers(20)
    finally:
        for name in LOGS:
            (logs / name).unlink(missing_ok=True)
    return [
        Row("disk full of logs: every request is answered", ALL_RIGHT, told(load), not load.failed()),
        Row("disk full of logs: bad requests as well", "400", str(bad), bad == requests.codes.bad_request),
    ]


def clock_jumps(stack: Stack, seconds: float) -> Sequence[Row]:
    """Set the server's clock two hours ahead, a day back, and right again; no rows without libfaketime."""
    if not FAKETIME.exists():
        return []
    stack.stop("torchserve")
    offset = stack.settings.run_dir / "faketime"
    offset.write_text(JUMPS[-1])
    with fake_clock(offset) as variables:
        with mock.patch.dict(os.environ, variables):
            stack.start("torchserve")
        with asking(stack) as load:
            load.wait_for_answers(20)
            before = worker_pids(stack)
            for jump in JUMPS:
                offset.write_text(jump)
                time.sleep(max(1.0, seconds / len(JUMPS)))
            is_answering = load.wait_for_answers(20)
            is_same = worker_pids(stack) == before
        stack.stop("torchserve")
    stack.start("torchserve")
    return [
        Row("clock jumps: every request is answered", ALL_RIGHT, told(load), not load.failed() and is_answering),
        Row("clock jumps: no worker is given up", "the same processes", yes(is_same), is_same),
    ]


@contextmanager
def fake_clock(offset: Path) -> Iterator[Mapping[str, str]]:
    """Yield the environment of processes whose clock is off by what a file says, such as +2h; libfaketime makes it so.

    What they share is made here, since the first of them, TorchServe's launcher, would take it along when it ends.
    """
    name = f"inkserve_{os.getpid()}"
    semaphore = f"/faketime_sem_{name}"
    SemLock(1, 1, 1, semaphore, False)  # kind, value, most; not unlinked at once
    shared = SharedMemory(f"faketime_shm_{name}", create=True, size=4096)
    try:
        yield {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # as the kernel: a clock that is set leaves this one alone
            "FAKETIME_SHARED": f"{semaphore} /faketime_shm_{name}",
        }
    finally:
        shared.close()
        shared.unlink()
        sem_unlink(semaphore)
