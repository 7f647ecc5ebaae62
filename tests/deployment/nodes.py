"""Real servers, each in a network namespace of its own as if on a machine of its own; needs root and iproute2."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from deploy.local.settings import ROOT
from tests.conftest import environment

PATIENCE_S = 300
TOKEN = "a-token-that-all-nodes-know"
BRIDGE, SUBNET = "inkbr", "10.213.77"


def can_make() -> bool:
    """Whether this user can make namespaces."""
    if os.geteuid() or not shutil.which("ip"):
        return False
    made = subprocess.run(["ip", "netns", "add", "inkprobe"], capture_output=True, check=False).returncode == 0
    subprocess.run(["ip", "netns", "del", "inkprobe"], capture_output=True, check=False)
    return made


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=20)


class Machine:
    """A network namespace on the bridge."""

    def __init__(self, number: int):
        self.name, self.host = f"ink{number}", f"{SUBNET}.{number + 10}"
        self.processes: list[subprocess.Popen] = []

    def join(self) -> None:
        """Make it, and a cable to the bridge."""
        ip("netns", "add", self.name)
        ip("link", "add", f"{self.name}h", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("link", "set", f"{self.name}h", "master", BRIDGE, "up")
        ip("-n", self.name, "addr", "add", f"{self.host}/24", "dev", "eth0")
        ip("-n", self.name, "link", "set", "eth0", "up")
        ip("-n", self.name, "link", "set", "lo", "up")

    def leave(self) -> None:
        self.kill()
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def start_process(self, command: Sequence[str], log: Path, **variables: str) -> subprocess.Popen:
        """Start a process in it."""
        with log.open("a") as output:
            inside = ["ip", "netns", "exec", self.name, *command]
            started = subprocess.Popen(inside, cwd=ROOT, env=environment(**variables), stdout=output, stderr=output)
        self.processes.append(started)
        return started

    def kill(self) -> None:
        """Kill all its processes at once, as a machine that loses its power."""
        found = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False).stdout
        for pid in map(int, found.split()):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        while self.processes:
            self.processes.pop().wait(PATIENCE_S)


class Node(Machine):
    """One server; its entry point is that of the container."""

    def __init__(self, number: int, folder: Path, store: Path, tokens: Path):
        super().__init__(number)
        self.address, self.folder = f"{self.host}:8080", folder / f"node{number}"
        self.store, self.tokens = store, tokens
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        own = {
            "INFERENCE_HOST": self.host,
            "RUN_DIR": str(self.folder),
            "MODEL_STORE": str(self.store),
            "MODELS": "digits",
        }
        own |= {"INKSERVE_TOKENS_FILE": str(self.tokens), "DRAIN_DELAY_S": "3", "LOG_TARGET": "console"}
        command = [sys.executable, "-m", "deploy.container.serve"]
        self.process = self.start_process(command, self.folder / "console.log", **own)

    def wait_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert self.process.poll() is None, (self.folder / "console.log").read_text()[-2000:]
            try:
                if requests.get(f"http://{self.address}/ready", timeout=5).ok:
                    return
            except requests.RequestException:
                pass
            assert time.monotonic() < deadline
            time.sleep(0.5)

    def end(self) -> int:
        """Ask it to end, as an engine or a cluster does, and return its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


@contextmanager
def bridge() -> Iterator[ExitStack]:
    """A bridge that this machine can reach, too; machines join it, and leave when the stack ends."""
    with ExitStack() as made:
        ip("link", "add", BRIDGE, "type", "bridge")
        made.callback(subprocess.run, ["ip", "link", "del", BRIDGE], check=False, capture_output=True)
        ip("addr", "add", f"{SUBNET}.1/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        yield made


@contextmanager
def nodes(folder: Path, store: Path, count: int = 3) -> Iterator[list[Node]]:
    """Ready servers on a bridge."""
    tokens = folder / "tokens.json"
    tokens.write_text(json.dumps({"test": {"token": TOKEN, "for": "predictions"}}))
    tokens.chmod(0o600)
    with bridge() as made:
        found = [Node(i, folder, store, tokens) for i in range(count)]
        for each in found:
            made.callback(each.leave)
            each.join()
            each.start()
        for each in found:
            each.wait_ready()
        yield found
