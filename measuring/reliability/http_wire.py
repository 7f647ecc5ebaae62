"""HTTP requests as raw bytes, well-formed or not, and the answers to them within a time limit."""

import base64
import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any

from measuring.common.example_digits import read_object

LIMIT_S = 60.0  # for an answer: twice TorchServe's responseTimeout, since another batch may come first
CLOSED = 0  # used as the status where the connection ends without an answer


@dataclass(frozen=True)
class Request:
    """One HTTP request; nothing in it has to be valid.

    Attributes:
        body: follows the headers; a function makes a large one each time that it is sent.
        path: path and query string.
        headers: in addition to Host, Connection and Content-Length.
        method: HTTP method.
        length: value of Content-Length; None is the true length, "" leaves the header out.
        raw: the complete request as bytes; replaces all of the above.
        incomplete: the server may wait for the rest of it. The sender then shuts down its side of the connection.
    """

    body: bytes | Callable[[], bytes] = b""
    path: str = "/predictions/digits"
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"
    length: str | None = None
    raw: bytes | None = None
    incomplete: bool = False

    def to_bytes(self) -> bytes:
        """Return the bytes to send."""
        if self.raw is not None:
            return self.raw
        body = self.body() if callable(self.body) else self.body
        length = str(len(body)) if self.length is None else self.length
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += [f"Content-Length: {length}"] if length else []
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body

    def dump(self) -> str:
        """Write the request as one line of text, to be sent again later."""
        return base64.b64encode(self.to_bytes()).decode()


def load(line: str) -> Request:
    """Read what `Request.dump` wrote.

    Raises:
        ValueError: the line is not base64.
    """
    return Request(raw=base64.b64decode(line, validate=True))


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: HTTP status; CLOSED where the connection ended without an answer.
        body: of the answer.
        time_s: from the connection to the end of the answer.
        timed_out: for the limit, neither a byte of an answer nor the end of the connection came.
    """

    status: int
    body: bytes = b""
    time_s: float = 0.0
    timed_out: bool = False

    @property
    def document(self) -> Mapping[str, Any]:
        """The body as a JSON object; empty where it is something else."""
        return read_object(self.body)

    @property
    def type(self) -> str:
        """The error type in the body, or ""."""
        return str(self.document.get("type", ""))


def send(host: str, port: int, request: Request, limit_s: float = LIMIT_S) -> Answer:
    """Send a request on a new connection.

    Raises:
        OSError: nothing listens there.
    """
    started = time.monotonic()
    with socket.create_connection((host, port), timeout=limit_s) as connection:
        with contextlib.suppress(OSError):  # a server may answer and close before it has read everything
            connection.sendall(request.to_bytes())
            if request.incomplete:
                connection.shutdown(socket.SHUT_WR)
        return receive(connection, request.method, started)


def receive(connection: socket.socket, method: str, started: float) -> Answer:
    """Read the first final answer to a request of a method that began at `started` (of time.monotonic)."""
    response = HTTPResponse(connection, method=method)
    status, body, timed_out = CLOSED, b"", False
    try:
        response.begin()
        body = response.read()
        if body or response.getheader("Content-Length"):  # else the connection has ended within the headers
            status = response.status
    except IncompleteRead as err:
        status, body = response.status, err.partial
    except TimeoutError:
        timed_out = True
    except (HTTPException, OSError, ValueError):
        pass  # the connection has ended, or this is not HTTP
    return Answer(status, body, time.monotonic() - started, timed_out)
