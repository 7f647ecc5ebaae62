"""Faults of the machine: a full disk, and a clock that jumps."""

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
from measuring.common.criteria import Criterion
from measuring.common.temporary_server import predictions_url
from measuring.reliability.faults.background_load import TIMEOUT_S
from measuring.reliability.faults.faulty_server import MODEL, FaultyServer, no_failure, yes_or_no

LOGS = ("server.log", "workers.log", "requests.log", "access.log", "metrics.log")
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
JUMPS = ("+2h", "-1d", "+0")


def disk_full(server: FaultyServer, seconds: float) -> Sequence[Criterion]:
    """Start with logs on a disk that is always full."""
    server.stack.stop("torchserve")
    logs = [server.stack.settings.logs / name for name in LOGS]
    for log in logs:
        log.unlink(missing_ok=True)
        log.symlink_to("/dev/full")
    try:
        server.stack.start("torchserve")
        with server.load() as load:
            time.sleep(seconds)
            url = predictions_url(server.stack, MODEL)
            bad = requests.post(url, data=b"no picture", timeout=TIMEOUT_S, proxies=NO_PROXY).status_code
            load.wait_for_answers(20)
    finally:
        for log in logs:
            log.unlink(missing_ok=True)
    return [
        no_failure("disk full of logs: every request is answered", load),
        Criterion("disk full of logs: status of a bad request", "400", str(bad), bad == requests.codes.bad_request),
    ]


def clock_jumps(server: FaultyServer, seconds: float) -> Sequence[Criterion]:
    """Set the server's clock two hours ahead, a day back, and right again; no criteria without libfaketime."""
    if not FAKETIME.exists():
        return []
    server.stack.stop("torchserve")
    offset = server.stack.settings.run_dir / "faketime"
    offset.write_text(JUMPS[-1])
    with fake_clock(offset) as variables:
        with mock.patch.dict(os.environ, variables):
            server.stack.start("torchserve")
        with server.load() as load:
            load.wait_for_answers(20)
            before = server.ready_pids()
            for jump in JUMPS:
                offset.write_text(jump)
                time.sleep(max(1.0, seconds / len(JUMPS)))
            is_answering = load.wait_for_answers(20)
            is_same = server.ready_pids() == before
        server.stack.stop("torchserve")
    server.stack.start("torchserve")
    return [
        no_failure("clock jumps: every request is answered", load, is_answering),
        yes_or_no("clock jumps: no worker is restarted", is_same, "the same processes"),
    ]


@contextmanager
def fake_clock(offset: Path) -> Iterator[Mapping[str, str]]:
    """Yield an environment in which libfaketime shifts the clock of a process by what a file says, such as +2h.

    The semaphore and the memory that the processes share are made here: TorchServe's launcher, the first process,
    would otherwise make them, and remove them when it ends.
    """
    name = f"inkserve_{os.getpid()}"
    semaphore = f"/faketime_sem_{name}"
    SemLock(1, 1, 1, semaphore, False)  # kind, value, maximum, name, unlink
    shared = SharedMemory(f"faketime_shm_{name}", create=True, size=4096)
    try:
        yield {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # as in the kernel: a new time leaves the monotonic clock
            "FAKETIME_SHARED": f"{semaphore} /faketime_shm_{name}",
        }
    finally:
        shared.close()
        shared.unlink()
        sem_unlink(semaphore)
