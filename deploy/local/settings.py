"""Where the stack listens and keeps its files."""

import hashlib
import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import StackError

HOST = "127.0.0.1"
NO_PROXY = {"no_proxy": HOST}  # for requests: a proxy of the environment is no way to this machine
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


@dataclass(frozen=True)
class Settings:
    """One stack.

    Attributes:
        ports: by the environment variable that changes each.
        run_dir: holds the record of what runs, and the logs.
        model_store: holds the archives.
        prometheus_data: holds what Prometheus remembers, also when nothing runs.
    """

    ports: Mapping[str, int]
    run_dir: Path
    model_store: Path = ROOT / "model_store"
    prometheus_data: Path = ROOT / "data" / "prometheus"

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

    def url(self, port_name: str) -> str:
        """Return the address of the service whose port the variable changes."""
        return f"http://{HOST}:{self.ports[port_name]}"


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on now; they are different ones."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the ports, RUN_DIR, MODEL_STORE and PROMETHEUS_DATA from environment variables.

    Raises:
        StackError: a port is not a number from 1 to 65535, or two are the same.
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
    return Settings(ports, *(Path(environment.get(name) or usual).resolve() for name, usual in folders.items()))


def read_port(name: str, text: str) -> int:
    """Read a port number.

    Raises:
        StackError: it is none.
    """
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):  # noqa: PLR2004
        raise StackError(f"{name} is {text!r}; wanted a port from 1 to 65535")
    return int(text)
