"""The servers that are measured: ours, and its peers with the same recogniser behind them."""

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
from measuring.common.temporary_server import running_stack
from measuring.speed.apps.recogniser import RUNTIME, WEIGHTS, WORKERS

MODEL = "digits"
START_TIMEOUT_S = 120
REQUEST_TIMEOUT_S = 5
MIB = 2**20


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        url: that pictures are posted to.
        main: its first process, of which the others are descendants.
    """

    url: str
    main: psutil.Process

    def memory_mib(self) -> float:
        """Memory of all its processes; what several share counts once (PSS)."""
        total = 0
        for each in [self.main, *self.main.children(recursive=True)]:
            try:
                total += each.memory_full_info().pss
            except psutil.Error:
                continue
        return total / MIB


@dataclass(frozen=True)
class Contestant:
    """A server with a runtime.

    Attributes:
        name: for tables.
        package: on PyPI, whose version is reported.
        runtime: that scores the frames.
        as_json: whether pictures are sent as base64 in JSON.
        serve: starts it, for as long as the context lasts.
    """

    name: str
    package: str
    runtime: str
    as_json: bool
    serve: Callable[[str, Path], AbstractContextManager[Running]]

    def missing(self) -> str:
        """Why it cannot run here, or ""."""
        name = self.package.replace("-", "_")
        return (
            "" if importlib.util.find_spec(name) or self.package == "torchserve" else f"{self.package} is not installed"
        )

    def version(self) -> str:
        """Of its package."""
        return importlib.metadata.version(self.package)


@contextmanager
def serve_ours(runtime: str, folder: Path) -> Iterator[Running]:  # noqa: ARG001 - the archive says which runtime
    """TorchServe with our archive, scaled to as many workers as the peers have."""
    with running_stack(ROOT / "model_store" / f"{MODEL}-1.0.mar") as stack:
        with Management(stack.settings.url("MANAGEMENT_PORT")) as management:
            management.scale(MODEL, "1.0", WORKERS)
        main = stack.record.find("torchserve")
        if main is None:
            raise process.StackError("TorchServe has ended")
        yield Running(f"{stack.settings.url('INFERENCE_PORT')}/predictions/{MODEL}", main)


def serve_app(*command: str) -> Callable[[str, Path], AbstractContextManager[Running]]:
    """Make what starts a peer with a command, in which PORT stands for its port."""

    @contextmanager
    def serve(runtime: str, folder: Path) -> Iterator[Running]:
        [port] = free_ports(1)
        weights = ROOT / "weights" / f"{MODEL}-1.0.safetensors"
        environment = os.environ | {WEIGHTS: str(weights), RUNTIME: runtime, "PYTHONPATH": str(ROOT)}
        arguments = [sys.executable, *(part.replace("PORT", str(port)) for part in command)]
        log = folder / "peer.log"
        main = process.start(arguments, environment, log, ROOT)
        url = f"http://{HOST}:{port}/inference"
        try:
            process.wait_until(lambda: is_listening(url), main, START_TIMEOUT_S, [log])
            yield Running(url, main)
        finally:
            process.stop(main)

    return serve


def is_listening(url: str) -> bool:
    """Tell whether a server answers anything but a fault of its own."""
    try:
        answer = requests.post(url, data=b"", timeout=REQUEST_TIMEOUT_S, proxies=NO_PROXY)
    except requests.RequestException:
        return False
    return answer.status_code != requests.codes.not_found


def contestants() -> Sequence[Contestant]:
    """Return all servers, ours first."""
    mosec = serve_app("-m", "measuring.speed.apps.mosec_app", "--address", HOST, "--port", "PORT")
    arguments = ("--workers", str(WORKERS), "--port", "PORT", "--no-access-log")
    uvicorn = serve_app("-m", "uvicorn", "measuring.speed.apps.fastapi_app:app", *arguments)
    return (
        Contestant("Inkserve", "torchserve", "frozen", False, serve_ours),
        Contestant("mosec, plain torch", "mosec", "torch", False, mosec),
        Contestant("mosec, our runtime", "mosec", "frozen", False, mosec),
        Contestant("FastAPI + uvicorn", "fastapi", "torch", False, uvicorn),
        Contestant("LitServe", "litserve", "torch", True, serve_app("-m", "measuring.speed.apps.litserve_app", "PORT")),
        Contestant("Ray Serve", "ray", "torch", False, serve_app("-m", "measuring.speed.apps.ray_app", "PORT")),
    )
