"""Reads the batches that TorchServe's front end sends to a worker.

A message is a byte that says what it is, and for a batch a list of requests: the id, a list of headers (name, value)
and a list of parts (name, content type, body). A field is its length, 4 bytes with a sign, and its bytes; a length of
-1 ends a list. TorchServe 0.12 reads a batch field by field, each with a system call or two, keeps only the last of the
parts that share a name, and parses JSON before a handler sees it.

Source: TorchServe 0.12.0, ts/protocol/otf_message_handler.py.
"""

import logging
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from socket import socket
from typing import NamedTuple

from ts.context import RequestProcessor
from ts.protocol import otf_message_handler as protocol
from ts.service import Service

BUFFER_BYTES = 1 << 16  # a batch of frames has about a sixth of it
LENGTH = struct.Struct("!i")
END = -1

FormPart = tuple[str, str, bytes]  # name, content type or "", and body

logger = logging.getLogger(__name__)


class Request(NamedTuple):
    """A request as TorchServe hands it to a handler.

    Attributes:
        id: TorchServe's own.
        headers: by name, in lower case; under the name of a part, the headers of that part.
        inputs: bodies of the parts by name; a body that is not multipart is named `body`.
    """

    id: str
    headers: dict[str, object]
    inputs: dict[str, bytes]


class Connection:
    """The front end's connection to a worker, read through a buffer. Ends the process when the front end is gone."""

    def __init__(self, connection: socket) -> None:
        self._file = connection.makefile("rb", BUFFER_BYTES)

    def take(self, length: int) -> bytes:
        """Return the next bytes."""
        content: bytes = self._file.read(length)
        if len(content) < length:
            logger.info("Frontend disconnected.")
            sys.exit(0)
        return content

    def field(self) -> bytes | None:
        """Return the next field, or None at the end of a list."""
        [length] = LENGTH.unpack(self.take(LENGTH.size))
        return None if length == END else self.take(length)

    def pairs(self) -> Iterator[tuple[str, bytes]]:
        """Return names and values up to the end of the list."""
        while (name := self.field()) is not None:
            yield name.decode(), self.field() or b""

    def batch(self) -> list[Request]:
        """Return the requests of a batch."""
        requests: list[Request] = []
        while (id_ := self.field()) is not None:
            headers = [(name, value.decode()) for name, value in self.pairs()]
            parts = ((name, kind.decode(), self.field() or b"") for name, kind in self.pairs())
            requests.append(make_request(id_.decode(), headers, parts))
        return requests


def make_request(id_: str, headers: Iterable[tuple[str, str]], parts: Iterable[FormPart]) -> Request:
    """Make a request of its headers and parts; of parts that share a name, all but the first are numbered."""
    of_parts: dict[str, object] = {}
    inputs: dict[str, bytes] = {}
    counts: dict[str, int] = {}  # last number by name; a form may have 200,000 parts of one name
    for given, kind, body in parts:
        name = unused_name(given, inputs, counts)
        of_parts[name] = {"content-type": kind}
        inputs[name] = body
    return Request(id_, of_parts | {name.lower(): value for name, value in headers}, inputs)


def unused_name(name: str, taken: dict[str, bytes], counts: dict[str, int]) -> str:
    """Number a name that is taken: the second `file` is `file (2)`, the third `file (3)` and so on."""
    unused = name
    while unused in taken:
        counts[name] = counts.get(name, 1) + 1
        unused = f"{name} ({counts[name]})"
    return unused


Retrieved = tuple[list[RequestProcessor], list[dict[str, bytes]], dict[int, str]]


def retrieve(batch: Sequence[Request]) -> Retrieved:
    """Return headers, bodies and ids of a batch as TorchServe's `Service` wants them."""
    headers = [RequestProcessor(request.headers) for request in batch]
    return headers, [request.inputs for request in batch], {i: request.id for i, request in enumerate(batch)}


def replace_reading() -> None:
    """Let TorchServe's worker read as this module does; called while a model is loaded, with nothing left to read."""
    connections: dict[socket, Connection] = {}  # a worker has one

    def connection_of(connection: socket) -> Connection:
        if connection not in connections:
            connections[connection] = Connection(connection)
        return connections[connection]

    protocol._retrieve_buffer = lambda connection, length: connection_of(connection).take(length)
    protocol._retrieve_inference_msg = lambda connection: connection_of(connection).batch()
    Service.retrieve_data_for_inference = staticmethod(retrieve)
