"""HTTP at a small price: a kept connection, and requests whose bytes are ready before the clock runs.

Locust's own FastHttpUser takes several times as much of the machine for a request, which on few cores is taken from the
server that is to be measured.
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
    """Write a request.

    Args:
        url: it is sent to.
        content: its body.
        kind: the body's content type.
        headers: further ones.
    """
    parts = urlsplit(url)
    lines = [f"POST {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Type: {kind}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content


class Connection:
    """One connection to a server, which opens again when it was closed; one request at a time."""

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
            OSError: there is no answer, or one that is not of a known length.
        """
        try:
            if self.socket is None:
                self.socket = self.open()
            self.socket.sendall(request)
            return self.receive(self.socket)
        except BaseException:  # also when Locust ends its user: half an answer must not be the next one's
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
            raise OSError("an answer without a content-length")
        whole = end + 4 + int(length[1])
        while len(buffer) < whole:
            buffer += self.more(connection)
        if CLOSE.search(buffer, 0, end):
            self.close()
        return int(buffer[9:12]), buffer[end + 4 : whole]

    def more(self, connection: socket.socket) -> bytes:
        """Receive what is there."""
        received = connection.recv(RECEIVE_BYTES)
        if not received:
            raise ConnectionResetError("the server closed the connection")
        return received

    def close(self) -> None:
        """Close, until the next request."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None
