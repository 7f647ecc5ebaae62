"""Background processes that outlive the command that starts them; a record lets the next command find them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from deploy.local.settings import NO_PROXY, Settings, StackError
from inkserve.files import atomic_write

POLL_S = 0.2
PRIVATE = 0o077  # umask: only the user can read what a service writes
GRACE_S = 15  # between asking a process to end and killing it
TELL_S = 20  # between two lines about a slow start
NO_ANSWER = "it does not answer"
DELAY = "DRAIN_DELAY_S"  # variable of a process that goes on serving for so many s after it is asked to end
CHILDREN: list[subprocess.Popen] = []  # Python warns of a child that is garbage-collected while it runs


@dataclass(frozen=True)
class Service:
    """A service that the stack can start.

    Attributes:
        name: of the service.
        ports: variables of the ports that it listens on.
        logs: file names of the logs that explain a failed start.
        start: starts it in the background.
        is_ready: tells whether it answers.
        ready_timeout_s: time limit of a start.
        exposure: further variables that it is started with.
        why: why it is not ready.
    """

    name: str
    ports: frozenset[str]
    logs: tuple[str, ...]
    start: Callable[[Settings], psutil.Process]
    is_ready: Callable[[Settings], bool]
    ready_timeout_s: float
    exposure: frozenset[str] = frozenset()
    why: Callable[[Settings], str] = lambda _: NO_ANSWER

    @property
    def variables(self) -> frozenset[str]:
        """The variables that the record keeps of a running service."""
        return self.ports | self.exposure


def start(command: Sequence[str | os.PathLike], environment: Mapping[str, str], log: Path, cwd: Path) -> psutil.Process:
    """Start a command in its own session, with its output in a log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=PRIVATE,
        )
    CHILDREN.append(child)
    return psutil.Process(child.pid)


def stop(process: psutil.Process) -> None:
    """Ask a process and its descendants to end, and kill those that still run GRACE_S after they should have ended."""
    try:
        family = [process, *process.children(recursive=True)]
        delay_s = int(process.environ().get(DELAY) or 0)
        process.terminate()
    except psutil.NoSuchProcess:
        return
    _, alive = psutil.wait_procs(family, timeout=GRACE_S + delay_s)
    for left in alive:
        try:
            left.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=GRACE_S)
    reap_children()


def reap_children() -> None:
    """Collect our children that have ended; until then they are zombies."""
    for child in CHILDREN:
        child.poll()


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process runs; a zombie does not."""
    reap_children()
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def answer(url: str, timeout_s: float = 2.0) -> str | None:
    """Return the body of a service's answer, None without an answer or with an error status."""
    try:
        response = requests.get(url, timeout=timeout_s, proxies=NO_PROXY)
    except requests.RequestException:
        return None
    return response.text if response.ok else None


def wait_until(
    is_ready: Callable[[], bool],
    process: psutil.Process,
    timeout_s: float,
    logs: Sequence[Path],
    why: Callable[[], str] = lambda: NO_ANSWER,
) -> None:
    """Wait until a starting service is ready, and say from time to time why it is not.

    Raises:
        StackError: its process ended, or it is not ready in time; the message says why, with the end of its logs.
    """
    started = told = time.monotonic()
    while not is_ready():
        now = time.monotonic()
        if not is_alive(process):
            raise StackError(f"it ended while starting:\n{tail(logs)}")
        if now > started + timeout_s:
            raise StackError(f"not ready after {timeout_s:.0f} s: {why()}\n{tail(logs)}")
        if now > told + TELL_S:
            told = now
            print(f"  not ready after {now - started:.0f} s: {why()}", file=sys.stderr, flush=True)
        time.sleep(POLL_S)


def tail(logs: Sequence[Path], lines: int = 12) -> str:
    """Return the last lines of each log, under its name."""
    written = [(path, path.read_text("utf-8", "replace").splitlines()[-lines:]) for path in logs if path.exists()]
    return "\n".join("\n".join([f"{path}:", *end]) for path, end in written)


class Record:
    """The file from which the next command knows the running processes and their ports."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict:
        """Return what was written last; empty without a readable file."""
        try:
            return json.loads(self.path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def add(self, name: str, process: psutil.Process) -> None:
        """Remember a process by its number and start time, as numbers are used again."""
        self.write(self.read() | {name: {"pid": process.pid, "started": process.create_time()}})

    def write(self, values: Mapping) -> None:
        """Replace the record."""
        with atomic_write(self.path) as partial:
            partial.write_text(json.dumps(values, indent=2))

    def find(self, name: str) -> psutil.Process | None:
        """Return a remembered process if it still runs."""
        entry = self.read().get(name)
        if not entry:
            return None
        try:
            process = psutil.Process(entry["pid"])
            same = abs(process.create_time() - entry["started"]) < 1
        except psutil.NoSuchProcess:
            return None
        return process if same and is_alive(process) else None

    def clear(self) -> None:
        """Forget everything."""
        self.path.unlink(missing_ok=True)
