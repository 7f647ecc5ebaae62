"""TorchServe's worker, where it has to behave otherwise."""

import logging
import os
import struct
import sys
from collections.abc import Sequence
from socket import socket
from typing import Any, BinaryIO

from ts.context import Context
from ts.protocol import otf_message_handler as protocol
from ts.service import Service

BUFFER_BYTES = 1 << 16
INT = struct.Struct("!i")
LEVEL = "LOG_LEVEL"  # the variable that config/log4j2.xml reads, too
LEVELS = {"OFF": logging.CRITICAL + 1, "TRACE": logging.DEBUG, "ALL": logging.DEBUG}  # log4j's, beside Python's own

logger = logging.getLogger(__name__)

take_apart = Service.retrieve_data_for_inference


def keep_repeated_parts() -> None:
    """Keep all parts of a form that share a name, as in `curl -F file=@a.png -F file=@b.png`.

    TorchServe 0.12 files the parts of a request by name, so that the last would be all that is left.
    """
    Service.retrieve_data_for_inference = staticmethod(take_apart_fully)


def take_apart_fully(batch: Sequence[dict[str, Any]]) -> tuple[list, list, dict]:
    """Do what TorchServe does, after numbering the names that come again."""
    for request in batch or ():
        number_repeats(request["parameters"])
    return take_apart(batch)


def number_repeats(parameters: Sequence[dict[str, Any]]) -> None:
    """Rename the second `file` to `file (2)`, and so on."""
    seen: set[object] = set()
    counts: dict[object, int] = {}  # by name, from where to count on: a form may have 200,000 parts of one
    for parameter in parameters:
        name = parameter["name"]
        while parameter["name"] in seen:
            counts[name] = counts.get(name, 1) + 1
            parameter["name"] = f"{name} ({counts[name]})"
        seen.add(parameter["name"])


def buffer_socket() -> None:
    """Read what the front end sends a buffer at a time.

    TorchServe 0.12 asks the system for each field of a request by itself: some sixty calls for one picture. Called
    while a model is loaded, when all that was sent so far has been read. `bufferedSocket: false` in a model's config
    leaves TorchServe's own reading.
    """
    buffers: dict[socket, BinaryIO] = {}  # a worker has one connection

    def read(connection: socket, length: int) -> bytes:
        if connection not in buffers:
            buffers[connection] = connection.makefile("rb", BUFFER_BYTES)
        content = buffers[connection].read(length)
        if len(content) < length:
            logger.info("Frontend disconnected.")
            sys.exit(0)  # as TorchServe does
        return content

    def read_int(connection: socket) -> int:
        return INT.unpack(read(connection, INT.size))[0]

    protocol._retrieve_buffer = read
    protocol._retrieve_int = read_int


class NoMetrics:
    """Takes the times that TorchServe's worker measures itself, and drops them: see `handwriting.serving.worker_metrics`."""

    request_ids: Any = None

    def add_time(self, *_: object, **__: object) -> None:
        """Drop a time."""


def quieten(context: Context) -> None:
    """Keep TorchServe's worker from writing log lines for each batch, which the front end would all parse."""
    context.metrics = NoMetrics()
    root = logging.getLogger()
    if is_news not in root.filters:
        root.addFilter(is_news)
    if os.environ.get(LEVEL):
        root.setLevel(read_level(os.environ[LEVEL]))


def read_level(name: str) -> int:
    """Read a level of Python's log from a name that Python or log4j knows it by, such as `warning` or `off`.

    Raises:
        RuntimeError: it is none; a worker does not start then.
    """
    levels = logging.getLevelNamesMapping() | LEVELS
    if name.upper() not in levels:
        raise RuntimeError(f"{LEVEL} is {name!r}; wanted debug, info, warning, error or off")
    return levels[name.upper()]


def is_news(record: logging.LogRecord) -> bool:
    """Tell whether a line of the worker's log says more than that a batch has come."""
    return not str(record.msg).startswith("Backend received inference")
