"""Background processes that outlive the command that starts them, and are found again by the next."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil
import requests

from deploy.local.errors import StackError
from deploy.local.settings import NO_PROXY

POLL_S = 0.2
PRIVATE = 0o077  # what a service writes is its user's alone to read
GRACE_S = 15  # for a process to end by itself before it is killed
CHILDREN: list[subprocess.Popen] = []  # kept, because Python warns of one that is dropped while it runs


def start(command: Sequence[str | os.PathLike], environment: Mapping[str, str], log: Path, cwd: Path) -> psutil.Process:
    """Start a command in a session of its own, with its output in a log file."""
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
    """Ask a process and all its descendants to end, and kill what is left after GRACE_S."""
    try:
        family = [process, *process.children(recursive=True)]
        process.terminate()
    except psutil.NoSuchProcess:
        return
    _, alive = psutil.wait_procs(family, timeout=GRACE_S)
    for left in alive:
        try:
            left.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=GRACE_S)
    take_note_of_ends()


def take_note_of_ends() -> None:
    """Collect our own children that have ended, which are zombies until then."""
    for child in CHILDREN:
        child.poll()


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process runs; somebody else's zombie does not."""
    take_note_of_ends()
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def answer(url: str, timeout_s: float = 2.0) -> str | None:
    """Return what a service of this machine says at an address, or None if it says nothing or no 2xx."""
    try:
        response = requests.get(url, timeout=timeout_s, proxies=NO_PROXY)
    except requests.RequestException:
        return None
    return response.text if response.ok else None


def wait_until(is_ready: Callable[[], bool], process: psutil.Process, timeout_s: float, logs: Sequence[Path]) -> None:
    """Wait until a starting service answers.

    Raises:
        StackError: its process ended, or it did not answer in time; with the end of its logs.
    """
    deadline = time.monotonic() + timeout_s
    while not is_ready():
        if not is_alive(process):
            raise StackError(f"it ended while starting:\n{tail(logs)}")
        if time.monotonic() > deadline:
            raise StackError(f"it does not answer after {timeout_s:.0f} s:\n{tail(logs)}")
        time.sleep(POLL_S)


def tail(logs: Sequence[Path], lines: int = 12) -> str:
    """Return the last lines of each log, under its name."""
    written = [(path, path.read_text("utf-8", "replace").splitlines()[-lines:]) for path in logs if path.exists()]
    return "\n".join("\n".join([f"{path}:", *end]) for path, end in written)


class Record:
    """The file that tells the next command which processes run, and on which ports."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict:
        """Return what was written last; empty if nothing was, or if a kill in the middle left half of it."""
        try:
            return json.loads(self.path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def add(self, name: str, process: psutil.Process) -> None:
        """Remember a process, by its number and its start: numbers are used again."""
        self.write(self.read() | {name: {"pid": process.pid, "started": process.create_time()}})

    def write(self, values: Mapping) -> None:
        """Replace what is written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(values, indent=2))
        partial.replace(self.path)

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
