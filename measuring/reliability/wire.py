"""Requests as the bytes that go over the wire, well-formed or not, and the answers to them within a time."""

import base64
import contextlib
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LIMIT_S = 60  # for an answer: twice TorchServe's responseTimeout, since another batch may be before it
MOST_BYTES = 32 * 2**20  # of an answer
CLOSED = 0  # in place of a status: the connection ended without an answer
CONTINUE = b"HTTP/1.1 100"
Content = bytes | Callable[[], bytes]  # of a body: a large one is made only when it is sent
END = b"\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """One HTTP request, as wrong as it may be.

    Attributes:
        body: that follows the headers.
        path: and query string.
        headers: beside Host, Connection and Content-Length.
        method: of HTTP.
        length: what Content-Length says; None for the truth, "" for no such header.
        raw: all of the request, in place of what the others say.
        unfinished: whether a server may rightly wait for more of it; it is then told that no more will come.
    """

    body: bytes = b""
    path: str = "/predictions/digits"
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"
    length: str | None = None
    raw: bytes | None = None
    unfinished: bool = False

    def wire(self) -> bytes:
        """Return the bytes to send."""
        if self.raw is not None:
            return self.raw
        length = str(len(self.body)) if self.length is None else self.length
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += [f"Content-Length: {length}"] if length else []
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + self.body


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP; CLOSED where the connection ended without an answer.
        body: of the answer.
        time_s: that it took.
        hung: whether neither an answer nor an end came within the limit.
    """

    status: int
    body: bytes = b""
    time_s: float = 0.0
    hung: bool = False

    @property
    def document(self) -> Any:  # noqa: ANN401 - JSON
        """The body as parsed JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def type(self) -> str:
        """Return the type of the error that it tells, or ""."""
        document = self.document
        return str(document.get("type", "")) if isinstance(document, dict) else ""


def send(host: str, port: int, request: Request, limit_s: float = LIMIT_S) -> Answer:
    """Send a request over a connection of its own.

    Raises:
        OSError: nobody listens there.
    """
    started = time.monotonic()
    with socket.create_connection((host, port), timeout=limit_s) as connection:
        with contextlib.suppress(OSError):  # a server may answer, and end, before it has read everything
            connection.sendall(request.wire())
        if request.unfinished:
            half_close(connection)
        content, hung = receive(connection, started + limit_s, request.method == "HEAD")
    return parse(content, time.monotonic() - started, hung)


def receive(connection: socket.socket, deadline: float, head_only: bool) -> tuple[bytes, bool]:
    """Read until an answer is whole, or the connection ends.

    Returns:
        what came; whether the deadline, of the monotonic clock, passed before.
    """
    content = b""
    while len(content) < MOST_BYTES and not is_whole(content, head_only):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return content, True
        connection.settimeout(left_s)
        try:
            piece = connection.recv(2**18)
        except TimeoutError:
            return content, True
        except OSError:
            break
        if not piece:
            break
        content += piece
    return content, False


def half_close(connection: socket.socket) -> None:
    """Say that nothing more will be sent."""
    with contextlib.suppress(OSError):  # the other side may have ended before
        connection.shutdown(socket.SHUT_WR)


def final(content: bytes) -> bytes:
    """Drop an interim answer that comes before the final one."""
    return content.partition(END)[2] if content.startswith(CONTINUE) else content


def is_whole(content: bytes, head_only: bool) -> bool:
    """Tell whether an answer is complete."""
    head, end, body = final(content).partition(END)
    if not end:
        return False
    length = header(head, b"content-length")
    return head_only or (length.isdigit() and len(body) >= int(length))


def header(head: bytes, name: bytes) -> bytes:
    """Return the value of a header, or b""."""
    found = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return next((value.strip() for key, _, value in found if key.strip().lower() == name), b"")


def parse(content: bytes, time_s: float, hung: bool) -> Answer:
    """Read the first answer in what came."""
    head, end, body = final(content).partition(END)
    words = head.split(maxsplit=2)
    if not end or len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - HTTP/1.1 200
        return Answer(CLOSED, content, time_s, hung)
    length = header(head, b"content-length")
    return Answer(int(words[1]), body[: int(length)] if length.isdigit() else body, time_s, hung)


def dump(request: Request) -> str:
    """Write a request as one line of text, so that it can be kept and sent again."""
    return base64.b64encode(request.wire()).decode()


def load(line: str) -> Request:
    """Read what `dump` wrote.

    Raises:
        ValueError: it is no such line.
    """
    return Request(raw=base64.b64decode(line, validate=True))
