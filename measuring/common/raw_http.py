"""HTTP at little cost: one kept connection, and requests whose bytes are made before the time is measured.

Locust's own FastHttpUser uses several times the processor time for a request; on few cores, the server under load lacks
it.
"""

import re
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
RECEIVE_BYTES = 1 << 16


def post(url: str, content: bytes, kind: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a POST request.

    Args:
        url: of the request.
        content: body.
        kind: content type.
        headers: further headers.
    """
    parts = urlsplit(url)
    lines = [f"POST {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Type: {kind}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content


class Connection:
    """One connection to a server, which is opened again after it was closed; one request at a time."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """Remember an address; nothing is sent.

        Args:
            url: of the server.
            timeout_s: for the connection, and for each part of an answer.
        """
        self.parts, self.timeout_s = urlsplit(url), timeout_s
        self.socket: socket.socket | None = None

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and return the answer's status and body.

        Raises:
            OSError: there is no answer, or it has no Content-Length.
        """
        try:
            if self.socket is None:
                self.socket = self.open()
            self.socket.sendall(request)
            return self.receive(self.socket)
        except (
            BaseException
        ):  # also when Locust stops its user: the rest of the answer must not be taken for the next one
            self.close()
            raise

    def open(self) -> socket.socket:
        """Connect."""
        scheme, host = self.parts.scheme, self.parts.hostname or ""
        plain = socket.create_connection((host, self.parts.port or PORTS[scheme]), self.timeout_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host) if scheme == "https" else plain

    def receive(self, connection: socket.socket) -> tuple[int, bytes]:
        """Read one answer."""
        buffer = b""
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            buffer += self.more(connection)
        length = LENGTH.search(buffer, 0, end)
        if length is None:
            raise OSError("the answer has no content-length")
        whole = end + 4 + int(length[1])
        while len(buffer) < whole:
            buffer += self.more(connection)
        if CLOSE.search(buffer, 0, end):
            self.close()
        return int(buffer[9:12]), buffer[end + 4 : whole]

    def more(self, connection: socket.socket) -> bytes:
        """Receive the next bytes."""
        received = connection.recv(RECEIVE_BYTES)
        if not received:
            raise ConnectionResetError("the server closed the connection")
        return received

    def close(self) -> None:
        """Close; the next request opens the connection again."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
