"""Runs containers with docker or podman, for the tests that need an engine."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
import requests

from deploy.container.build import works
from deploy.local.settings import DEFAULT_PORTS, free_ports

PATIENCE_S = 300
HARDENED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
WRITABLE = ["--tmpfs", "/tmp:rw,exec,mode=1777,size=512m", "--tmpfs", "/var/lib/inkserve:rw,mode=1777,size=256m"]  # noqa: S108 - in the container


@cache
def engine() -> str:
    """The first engine that works here, "" without one."""
    return next((name for name in ("podman", "docker") if shutil.which(name) and works(name)), "")


def needs(image: str, command: str) -> pytest.MarkDecorator:
    """Skip tests where an image is not there, and say what builds it."""
    is_there = bool(engine()) and run("image", "inspect", image).returncode == 0
    return pytest.mark.skipif(not is_there, reason=f"no image {image}: `{command}` builds it")


def run(*arguments: str, timeout_s: float = PATIENCE_S) -> subprocess.CompletedProcess:
    """Run the engine."""
    return subprocess.run([engine(), *arguments], capture_output=True, text=True, timeout=timeout_s, check=False)


def inspect(image: str) -> dict:
    """What the engine says of an image."""
    return json.loads(run("image", "inspect", image).stdout)[0]


class Container:
    """A running container of the server."""

    def __init__(self, number: str, ports: dict[str, str]):
        self.number, self.url = number, f"http://127.0.0.1:{ports['INFERENCE_PORT']}"

    def exec(self, *command: str) -> subprocess.CompletedProcess:
        return run("exec", self.number, *command)

    def log(self) -> str:
        done = run("logs", self.number)
        return done.stdout + done.stderr

    def token(self) -> str:
        return json.loads(self.exec("cat", "/var/lib/inkserve/key_file.json").stdout)["inference"]["key"]

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/ready", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def wait_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self.is_ready():
            assert self.state()["Running"], self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.5)

    def state(self) -> dict:
        return json.loads(run("inspect", self.number).stdout)[0]["State"]

    def exit_code(self) -> int:
        return int(run("wait", self.number).stdout.split()[0])


@contextmanager
def running(image: str, *options: str, **variables: str) -> Iterator[str]:
    """The number of a container on this machine's network; it is removed afterwards."""
    settings = [each for name, value in variables.items() for each in ("--env", f"{name}={value}")]
    done = run("run", "--detach", "--network", "host", *options, *settings, image)
    assert done.returncode == 0, done.stderr
    number = done.stdout.split()[-1]
    try:
        yield number
    finally:
        run("rm", "--force", number)


def own_ports() -> dict[str, str]:
    """Settings with a free port for each of the server's."""
    return dict(zip(DEFAULT_PORTS, map(str, free_ports(len(DEFAULT_PORTS))), strict=True))


@contextmanager
def started(memory: str = "3g", **variables: str) -> Iterator[Container]:
    """A hardened container of the server on free ports; it is removed afterwards."""
    ports = own_ports()
    own = ports | {"HEALTH_URL": f"http://127.0.0.1:{ports['INFERENCE_PORT']}/ready"} | variables
    options = ["--memory", memory, *HARDENED, *WRITABLE]
    with running("localhost/inkserve-server", *options, **own) as number:
        yield Container(number, ports)
