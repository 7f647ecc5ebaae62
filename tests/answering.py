"""A small HTTP server in place of TorchServe, for answers that the real one gives only when it is in trouble."""

import asyncio
import io
import json
import threading
import zipfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from inkserve.readiness import Readiness, VersionReadiness

SEVEN = {
    "label": "7",
    "confidence": 0.98,
    "top": [{"label": "7", "probability": 0.98}, {"label": "1", "probability": 0.015}],
    "model": "digits",
    "version": "1.0",
}
SILENCE = (0, None)  # no answer until the test ends, as from a server whose worker is dead
BREAK = (-1, None)  # the connection ends without an answer, as of a server that is stopped
READY = {
    "ready": True,
    "versions": [
        {"model": "digits", "version": "1.0", "ready_workers": 1, "wanted_workers": 1, "waiting": 0, "is_default": True}
    ],
}
Reply = tuple[int, object]  # status, JSON document; or bytes, to be sent as they are


def readiness(fault: str = "", **workers: int) -> Readiness:
    """What a server says of itself: why it is down, or how many workers version 1.0 of each recogniser has ready."""
    versions = (
        VersionReadiness(model, "1.0", count, 1, 0, True) for model, count in (workers or {"digits": 1}).items()
    )
    return Readiness(fault) if fault else Readiness("", True, tuple(versions))


def error(status: int, kind: str = "X", message: str = "why") -> Reply:
    return status, {"code": status, "type": kind, "message": message}


WORKER_DIED = error(500, "InternalServerException", "Worker died.")
QUEUE_FULL = error(503, "ServiceUnavailableException", 'Model "digits" has no worker to serve inference request.')


def described(model: str = "digits", version: str = "1.0", workers: int = 1, wanted: int = 1, waiting: int = 0) -> dict:
    """What TorchServe's management API says of a version, whose worker processes are 11, 12, ..."""
    return {
        "modelName": model,
        "modelVersion": version,
        "minWorkers": wanted,
        "batchSize": 32,
        "maxBatchDelay": 1,
        "workers": [
            {"id": str(9000 + i), "status": "READY", "memoryUsage": 2**20, "pid": 11 + i} for i in range(workers)
        ],
        "jobQueueStatus": {"pendingRequests": waiting},
    }


class AnsweringServer(ThreadingHTTPServer):
    """Answers each POST with what `answer` returns for its body, and keeps what it was asked.

    It says that it is ready. Any other method gets the JSON document or reply in `documents` for its path, or 404.
    """

    daemon_threads = True
    request_queue_size = 128  # the default of 5 refuses some of many clients at once

    def __init__(self, answer: Callable[[bytes], Reply]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.ended = threading.Event()
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.documents: dict[str, object] = {"/ready": READY}
        self.url = f"http://127.0.0.1:{self.server_port}"

    def models(self, **versions: list[dict]) -> None:
        """Set the management API's answers: for each model what it says of its versions, the default first."""
        self.documents["/models"] = {"models": [{"modelName": name} for name in versions]}
        for name, found in versions.items():
            self.documents[f"/models/{name}/all"] = found[::-1]
            self.documents[f"/models/{name}"] = found[:1]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: AnsweringServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        self.server.paths.append(self.path)
        self.server.headers.append(dict(self.headers))
        self.send(*self.server.answer(body))

    def do_GET(self) -> None:
        self.server.paths.append(f"{self.command} {self.path}")
        self.server.headers.append(dict(self.headers))
        document = self.server.documents.get(self.path.partition("?")[0], error(404, message="no such model"))
        self.send(*(document if isinstance(document, tuple) else (200, document)))

    do_PUT = do_DELETE = do_GET  # noqa: N815 - names that http.server wants

    def send(self, status: int, document: object) -> None:
        if status <= 0:
            if (status, document) == SILENCE:
                self.server.ended.wait(10)
            self.close_connection = True
            return
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if status == HTTPStatus.FOUND:
            self.send_header("Location", self.path)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(answer: Reply | Callable[[bytes], Reply]) -> Iterator[AnsweringServer]:
    """Run a server that always gives one answer, or one that it makes from the body."""
    server = AnsweringServer(answer if callable(answer) else lambda _: answer)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()


def pictures_of(body: bytes) -> list[bytes]:
    """The pictures in a request: those of a ZIP file, or the one that it is."""
    if not body.startswith(b"PK"):
        return [body]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return [archive.read(info) for info in archive.infolist()]


def sevens(body: bytes) -> Reply:
    """Answer "7" for each picture of a request."""
    count = len(pictures_of(body))
    return 200, {"predictions": [SEVEN] * count} if body.startswith(b"PK") else SEVEN


def in_turn(*answers: Reply) -> Callable[[bytes], Reply]:
    """Give one answer after the other, and the last one from then on."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def closed_port() -> str:
    """Return an address where nobody listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        return f"http://127.0.0.1:{server.server_port}"


def run_apart(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a thread of its own: in this one, the loop of the browser's tests may be running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()
