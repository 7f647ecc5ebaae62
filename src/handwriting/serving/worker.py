"""Changes to TorchServe's worker: repeated form parts, buffered reading, and a quiet log."""

import logging
import os
import sys
from collections.abc import Sequence
from socket import socket
from typing import Any, BinaryIO, cast

from ts.context import Context
from ts.protocol import otf_message_handler as protocol
from ts.service import Service

BUFFER_BYTES = 1 << 16
INT_BYTES = 4  # of a number in TorchServe's protocol, big endian
LEVEL = "LOG_LEVEL"  # environment variable; config/log4j2.xml reads it, too
LEVELS = {"OFF": logging.CRITICAL + 1, "TRACE": logging.DEBUG, "ALL": logging.DEBUG}  # log4j's names that Python lacks

logger = logging.getLogger(__name__)

retrieve_data = Service.retrieve_data_for_inference


def keep_repeated_parts() -> None:
    """Keep all parts of a form that share a name, as in `curl -F file=@a.png -F file=@b.png`.

    TorchServe 0.12 stores the parts of a request by name and would keep the last only.
    """
    Service.retrieve_data_for_inference = staticmethod(retrieve_all_parts)


Retrieved = tuple[list[dict[str, Any]], list[dict[str, Any]], dict[int, str]]  # headers, bodies, request ids


def retrieve_all_parts(batch: Sequence[dict[str, Any]]) -> Retrieved:
    """Number repeated names, then do what TorchServe does."""
    for request in batch or ():
        number_repeats(request["parameters"])
    return cast(Retrieved, retrieve_data(batch))


def number_repeats(parameters: Sequence[dict[str, Any]]) -> None:
    """Rename the second `file` to `file (2)`, the third to `file (3)` and so on."""
    seen: set[object] = set()
    counts: dict[object, int] = {}  # last number by name; a form may have 200,000 parts of one name
    for parameter in parameters:
        name = parameter["name"]
        while parameter["name"] in seen:
            counts[name] = counts.get(name, 1) + 1
            parameter["name"] = f"{name} ({counts[name]})"
        seen.add(parameter["name"])


def buffer_socket() -> None:
    """Read from the front end through a buffer.

    TorchServe 0.12 makes a system call for each field of a request, some sixty for one picture. This is called while a
    model is loaded, when nothing is left to read. `bufferedSocket: false` in a model's config keeps TorchServe's way.
    """
    buffers: dict[socket, BinaryIO] = {}  # a worker has one connection

    def read(connection: socket, length: int) -> bytes:
        if connection not in buffers:
            buffers[connection] = cast(BinaryIO, connection.makefile("rb", BUFFER_BYTES))
        content = buffers[connection].read(length)
        if len(content) < length:
            logger.info("Frontend disconnected.")
            sys.exit(0)  # as TorchServe does
        return content

    def read_int(connection: socket) -> int:
        return int.from_bytes(read(connection, INT_BYTES), signed=True)

    protocol._retrieve_buffer = read
    protocol._retrieve_int = read_int


class NoMetrics:
    """Takes the times that TorchServe's worker measures and drops them; `worker_metrics` measures instead."""

    request_ids: Any = None

    def add_time(self, *_: object, **__: object) -> None:
        """Drop a time."""


def silence_batch_logs(context: Context) -> None:
    """Stop TorchServe's worker from logging each batch; its front end parses every line of the log."""
    context.metrics = NoMetrics()
    root = logging.getLogger()
    if is_informative not in root.filters:
        root.addFilter(is_informative)
    if os.environ.get(LEVEL):
        root.setLevel(read_level(os.environ[LEVEL]))


def read_level(name: str) -> int:
    """Return Python's log level for a name of Python's or log4j's, such as `warning` or `off`.

    Raises:
        RuntimeError: the name is unknown; the worker then does not start.
    """
    levels = logging.getLevelNamesMapping() | LEVELS
    if name.upper() not in levels:
        raise RuntimeError(f"{LEVEL} is {name!r}; wanted debug, info, warning, error or off")
    return levels[name.upper()]


def is_informative(record: logging.LogRecord) -> bool:
    """Return False for the line that TorchServe logs for each batch."""
    return not str(record.msg).startswith("Backend received inference")
