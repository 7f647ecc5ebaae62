"""Where the stack listens and where it keeps its files."""

import hashlib
import ipaddress
import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from inkserve.client.tokens import KeyFile, Kind
from inkserve.command import CommandError

HOST = "127.0.0.1"
NO_PROXY = {"no_proxy": "*"}  # for requests: addresses of this machine need no proxy
ROOT = Path(__file__).resolve().parents[2]
DEFAULT_PORTS = {
    "INFERENCE_PORT": 8080,
    "MANAGEMENT_PORT": 8081,
    "METRICS_PORT": 8082,
    "TORCHSERVE_METRICS_PORT": 8083,  # TorchServe's own page, which is part of the one on METRICS_PORT
    "GRPC_INFERENCE_PORT": 7070,
    "GRPC_MANAGEMENT_PORT": 7071,
    "DASHBOARD_PORT": 8501,
    "PROMETHEUS_PORT": 9090,
}
HOSTS = {  # other services listen on HOST
    "INFERENCE_PORT": "INFERENCE_HOST",
    "MANAGEMENT_PORT": "MANAGEMENT_HOST",
    "METRICS_PORT": "METRICS_HOST",
}
TOKENS_FILE = "INKSERVE_TOKENS_FILE"  # variable; the agent of the front end reads the file
EXPOSURE = {*HOSTS.values(), "TOKENS", TOKENS_FILE}  # the variables that decide who can use TorchServe
TEMP_ROOT = "temp_root"  # of the running TorchServe, in the record


class StackError(CommandError):
    """The stack cannot be started or stopped; the message says why and what to do."""


@dataclass(frozen=True)
class Settings:
    """Ports, addresses and folders of one stack.

    Attributes:
        ports: by the environment variable that changes each.
        run_dir: folder of the logs and of the record of running processes.
        model_store: folder of the archives.
        prometheus_data: folder of Prometheus's data, which stays when nothing runs.
        inference_host: IPv4 address on which TorchServe takes predictions over HTTP.
        management_host: IPv4 address of its management API.
        tokens: whether each request to TorchServe needs a token.
        temp_root: folder of temp_dir; None for that of temporary files.
        tokens_file: file of named tokens, which servers may share; None if there are only TorchServe's own.
        models: recognisers to serve; all of the model store if empty.
    """

    ports: Mapping[str, int]
    run_dir: Path
    model_store: Path = ROOT / "model_store"
    prometheus_data: Path = ROOT / "data" / "prometheus"
    inference_host: str = HOST
    management_host: str = HOST
    metrics_host: str = HOST
    tokens: bool = False
    tokens_file: Path | None = None
    models: tuple[str, ...] = ()
    temp_root: Path | None = None

    @property
    def temp_dir(self) -> Path:
        """Private folder of TorchServe's sockets and unpacked archives; short, as paths of sockets have 107 bytes."""
        digest = hashlib.sha256(str(self.run_dir).encode()).hexdigest()[:8]
        return (self.temp_root or Path(tempfile.gettempdir())) / f"inkserve-{os.getuid()}-{digest}"

    @property
    def logs(self) -> Path:
        """Folder of all logs."""
        return self.run_dir / "logs"

    @property
    def metrics(self) -> Path:
        """Folder of the workers' metrics files."""
        return self.run_dir / "metrics"

    @property
    def key_file(self) -> Path:
        """File in which TorchServe writes its tokens, if they are on."""
        return self.run_dir / "key_file.json"

    @property
    def variables(self) -> Mapping[str, int | str]:
        """All ports, hosts, the state of the tokens and the model store, by the environment variable that sets each."""
        tokens = "on" if self.tokens else "off"
        return {
            **self.ports,
            "INFERENCE_HOST": self.inference_host,
            "MANAGEMENT_HOST": self.management_host,
            "METRICS_HOST": self.metrics_host,
            "TOKENS": tokens,
            TOKENS_FILE: str(self.tokens_file or ""),
            "MODEL_STORE": str(self.model_store),
        }

    def host(self, port_name: str) -> str:
        """Return the address on which the service with a port variable listens."""
        return str(self.variables.get(HOSTS.get(port_name, ""), HOST))

    def url(self, port_name: str) -> str:
        """Return the URL of the service with a port variable, for clients on this machine."""
        host = self.host(port_name)
        return f"http://{HOST if ipaddress.ip_address(host).is_unspecified else host}:{self.ports[port_name]}"

    def auth(self, kind: Kind) -> KeyFile:
        """Return the authorisation of requests to TorchServe: a token if tokens are on."""
        return KeyFile(self.key_file, kind, self.url("MANAGEMENT_PORT"))


def free_ports(count: int) -> list[int]:
    """Return different ports that nothing listens on."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read ports, hosts, TOKENS, MODELS, RUN_DIR, MODEL_STORE and PROMETHEUS_DATA from environment variables.

    Raises:
        StackError: a port is not a number from 1 to 65535, or two are equal; a host is not an IPv4 address; TOKENS is
            neither on nor off, or off although other machines can reach a host.
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
    tokens_file = Path(named).resolve() if (named := environment.get(TOKENS_FILE)) else None
    tokens = read_tokens(environment.get("TOKENS") or "", hosts, tokens_file)
    models = tuple(environment.get("MODELS", "").replace(",", " ").split())
    return Settings(ports, *paths, *hosts.values(), tokens, tokens_file, models)


def read_port(name: str, text: str) -> int:
    """Read a port number.

    Raises:
        StackError: the text is not a port.
    """
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):  # noqa: PLR2004
        raise StackError(f"{name} is {text!r}; wanted a port from 1 to 65535")
    return int(text)


def read_host(name: str, text: str) -> str:
    """Read an address to listen on.

    Raises:
        StackError: the text is not an IPv4 address.
    """
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as err:
        raise StackError(f"{name} is {text!r}; wanted an IPv4 address, such as {HOST} or 0.0.0.0") from err


def is_open(host: str) -> bool:
    """Tell whether other machines can reach an address."""
    return not ipaddress.ip_address(host).is_loopback


def read_tokens(text: str, hosts: Mapping[str, str], file: Path | None = None) -> bool:
    """Read whether tokens are on; by default they are if other machines can reach a host, or a file names some.

    Raises:
        StackError: the text is neither on nor off, or off although other machines can reach a host, or a file names
            some.
    """
    if text not in {"", "on", "off"}:
        raise StackError(f"TOKENS is {text!r}; wanted on or off")
    open_to_others = [f"{name}={host}" for name, host in hosts.items() if is_open(host)]
    if text == "off" and open_to_others:
        raise StackError(
            f"TOKENS=off with {' '.join(open_to_others)}: whoever reaches it could use it; wanted TOKENS=on"
        )
    if text == "off" and file:
        raise StackError(f"TOKENS=off with {TOKENS_FILE}={file}: nobody would need its tokens; wanted TOKENS=on")
    return text == "on" or bool(open_to_others or file)
