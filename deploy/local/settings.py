"""Where the stack listens and keeps its files."""

import hashlib
import ipaddress
import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import StackError
from inkserve.client.tokens import KeyFile, Kind

HOST = "127.0.0.1"
NO_PROXY = {"no_proxy": "*"}  # for requests: a proxy of the environment is no way to this machine
ROOT = Path(__file__).resolve().parents[2]
DEFAULT_PORTS = {
    "INFERENCE_PORT": 8080,
    "MANAGEMENT_PORT": 8081,
    "METRICS_PORT": 8082,
    "TORCHSERVE_METRICS_PORT": 8083,  # TorchServe's own part of the page on METRICS_PORT
    "GRPC_INFERENCE_PORT": 7070,
    "GRPC_MANAGEMENT_PORT": 7071,
    "DASHBOARD_PORT": 8501,
    "PROMETHEUS_PORT": 9090,
}
HOSTS = {"INFERENCE_PORT": "INFERENCE_HOST", "MANAGEMENT_PORT": "MANAGEMENT_HOST"}  # all others listen on HOST
EXPOSURE = {*HOSTS.values(), "TOKENS"}  # the variables that say who can reach TorchServe


@dataclass(frozen=True)
class Settings:
    """One stack.

    Attributes:
        ports: by the environment variable that changes each.
        run_dir: holds the record of what runs, and the logs.
        model_store: holds the archives.
        prometheus_data: holds what Prometheus remembers, also when nothing runs.
        inference_host: IPv4 address on which TorchServe takes predictions over HTTP.
        management_host: the same of its management API.
        tokens: whether both want a token in each request.
    """

    ports: Mapping[str, int]
    run_dir: Path
    model_store: Path = ROOT / "model_store"
    prometheus_data: Path = ROOT / "data" / "prometheus"
    inference_host: str = HOST
    management_host: str = HOST
    tokens: bool = False

    @property
    def temp_dir(self) -> Path:
        """Private folder of TorchServe's sockets and unpacked archives; short, as a socket's path has 107 bytes."""
        digest = hashlib.sha256(str(self.run_dir).encode()).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"inkserve-{os.getuid()}-{digest}"

    @property
    def logs(self) -> Path:
        """Folder of all logs."""
        return self.run_dir / "logs"

    @property
    def metrics(self) -> Path:
        """Folder of the files that the workers count in."""
        return self.run_dir / "metrics"

    @property
    def key_file(self) -> Path:
        """Where TorchServe writes its tokens, if it wants any: the folder that it runs in."""
        return self.run_dir / "key_file.json"

    @property
    def variables(self) -> Mapping[str, int | str]:
        """All ports, hosts, and whether tokens are on, by the environment variable that changes each."""
        tokens = "on" if self.tokens else "off"
        return {
            **self.ports,
            "INFERENCE_HOST": self.inference_host,
            "MANAGEMENT_HOST": self.management_host,
            "TOKENS": tokens,
        }

    def host(self, port_name: str) -> str:
        """Return the address on which the service listens whose port the variable changes."""
        return str(self.variables.get(HOSTS.get(port_name, ""), HOST))

    def url(self, port_name: str) -> str:
        """Return where this machine finds the service whose port the variable changes."""
        host = self.host(port_name)
        return f"http://{HOST if ipaddress.ip_address(host).is_unspecified else host}:{self.ports[port_name]}"

    def auth(self, kind: Kind) -> KeyFile:
        """Return what requests to TorchServe carry: a token, or nothing while it wants none."""
        return KeyFile(self.key_file, kind, self.url("MANAGEMENT_PORT"))


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on now; they are different ones."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read ports, hosts, TOKENS, RUN_DIR, MODEL_STORE and PROMETHEUS_DATA from environment variables.

    Raises:
        StackError: a port is not a number from 1 to 65535, or two are the same; a host is no IPv4 address; TOKENS is
            neither on nor off, or off although others can reach a host.
    """
    ports = {name: read_port(name, environment.get(name) or str(default)) for name, default in DEFAULT_PORTS.items()}
    for name, port in ports.items():
        twin = next(other for other in ports if ports[other] == port)
        if twin != name:
            raise StackError(f"{twin} and {name} are both {port}; wanted two ports")
    folders = {
        "RUN_DIR": ROOT / "runs" / "stack",
        "MODEL_STORE": Settings.model_store,
        "PROMETHEUS_DATA": Settings.prometheus_data,
    }
    paths = (Path(environment.get(name) or usual).resolve() for name, usual in folders.items())
    hosts = {name: read_host(name, environment.get(name) or HOST) for name in HOSTS.values()}
    return Settings(ports, *paths, *hosts.values(), read_tokens(environment.get("TOKENS") or "", hosts))


def read_port(name: str, text: str) -> int:
    """Read a port number.

    Raises:
        StackError: it is none.
    """
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):  # noqa: PLR2004
        raise StackError(f"{name} is {text!r}; wanted a port from 1 to 65535")
    return int(text)


def read_host(name: str, text: str) -> str:
    """Read an address to listen on.

    Raises:
        StackError: it is none.
    """
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as err:
        raise StackError(f"{name} is {text!r}; wanted an IPv4 address, such as {HOST} or 0.0.0.0") from err


def is_open(host: str) -> bool:
    """Tell whether others than this machine can reach an address."""
    return not ipaddress.ip_address(host).is_loopback


def read_tokens(text: str, hosts: Mapping[str, str]) -> bool:
    """Read whether tokens are on: as the text says, else where others than this machine can reach a host.

    Raises:
        StackError: the text says something else, or that others shall need none.
    """
    if text not in {"", "on", "off"}:
        raise StackError(f"TOKENS is {text!r}; wanted on or off")
    open_to_others = [f"{name}={host}" for name, host in hosts.items() if is_open(host)]
    if text == "off" and open_to_others:
        raise StackError(
            f"TOKENS=off with {' '.join(open_to_others)}: whoever reaches it could use it; wanted TOKENS=on"
        )
    return text == "on" or bool(open_to_others)
