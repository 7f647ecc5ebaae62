"""The servers of the comparison: Inkserve, and other servers with the same recogniser."""

import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from deploy.local import process
from deploy.local.settings import HOST, NO_PROXY, ROOT, free_ports
from inkserve.management import Management
from measuring.common.temporary_server import predictions_url, process_of, running_stack
from measuring.speed.apps.peer_recogniser import RUNTIME_VARIABLE, WEIGHTS_VARIABLE, WORKERS
from measuring.speed.digit_requests import ARCHIVE, MODEL, WEIGHTS

START_TIMEOUT_S = 120
REQUEST_TIMEOUT_S = 5
MIB = 2**20


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        url: pictures are posted to it.
        main: first process of the server, the parent of all others.
    """

    url: str
    main: psutil.Process

    def memory_mib(self) -> float:
        """Memory of all its processes: what each has alone, and what the one that shares most has with others."""
        private, shared = 0, 0
        for each in [self.main, *self.main.children(recursive=True)]:
            try:
                found = each.memory_full_info()
            except psutil.Error:
                continue
            private += found.uss
            shared = max(shared, found.rss - found.uss)
        return (private + shared) / MIB


@dataclass(frozen=True)
class PeerServer:
    """A server with a runtime.

    Attributes:
        name: for tables.
        package: on PyPI; its version is reported.
        runtime: scores the frames.
        as_json: pictures are sent as base64 in JSON.
        serve: context manager that runs it.
    """

    name: str
    package: str
    runtime: str
    as_json: bool
    serve: Callable[[str, Path], AbstractContextManager[Running]]

    def missing(self) -> str:
        """Say why it cannot run here, or ""."""
        is_there = self.package == "torchserve" or importlib.util.find_spec(self.package.replace("-", "_"))
        return "" if is_there else f"{self.package} is not installed"

    def version(self) -> str:
        """Return the version of its package."""
        return importlib.metadata.version(self.package)


@contextmanager
def serve_ours(runtime: str, folder: Path) -> Iterator[Running]:  # noqa: ARG001 - the archive has the runtime
    """Run TorchServe with the archive of `digits` and as many workers as the peers have."""
    with running_stack(ARCHIVE) as stack:
        with Management(stack.settings.url("MANAGEMENT_PORT")) as management:
            management.scale(MODEL, "1.0", WORKERS)
        yield Running(predictions_url(stack, MODEL), process_of(stack))


def serve_app(*command: str) -> Callable[[str, Path], AbstractContextManager[Running]]:
    """Return a context manager that runs a peer with a command; PORT in it is replaced by a free port."""

    @contextmanager
    def serve(runtime: str, folder: Path) -> Iterator[Running]:
        [port] = free_ports(1)
        variables = {WEIGHTS_VARIABLE: str(WEIGHTS), RUNTIME_VARIABLE: runtime, "PYTHONPATH": str(ROOT)}
        arguments = [sys.executable, *(part.replace("PORT", str(port)) for part in command)]
        log = folder / f"{port}.log"
        main = process.start(arguments, os.environ | variables, log, ROOT)
        url = f"http://{HOST}:{port}/inference"
        try:
            process.wait_until(lambda: is_listening(url), main, START_TIMEOUT_S, [log])
            yield Running(url, main)
        finally:
            process.stop(main)

    return serve


def is_listening(url: str) -> bool:
    """Tell whether a server knows the path."""
    try:
        answer = requests.post(url, data=b"", timeout=REQUEST_TIMEOUT_S, proxies=NO_PROXY)
    except requests.RequestException:
        return False
    return answer.status_code != requests.codes.not_found


def all_servers() -> Sequence[PeerServer]:
    """Return all servers, Inkserve first."""
    mosec = serve_app("-m", "measuring.speed.apps.mosec_app", "--address", HOST, "--port", "PORT")
    arguments = ("--workers", str(WORKERS), "--port", "PORT", "--no-access-log")
    uvicorn = serve_app("-m", "uvicorn", "measuring.speed.apps.fastapi_app:app", *arguments)
    return (
        PeerServer("Inkserve", "torchserve", "onnx", False, serve_ours),
        PeerServer("mosec, plain torch", "mosec", "torch", False, mosec),
        PeerServer("mosec, our runtime", "mosec", "onnx", False, mosec),
        PeerServer("FastAPI + uvicorn", "fastapi", "torch", False, uvicorn),
        PeerServer("LitServe", "litserve", "torch", True, serve_app("-m", "measuring.speed.apps.litserve_app", "PORT")),
        PeerServer("Ray Serve", "ray", "torch", False, serve_app("-m", "measuring.speed.apps.ray_app", "PORT")),
    )
