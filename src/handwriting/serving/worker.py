"""Changes to TorchServe's worker: a quiet log."""

import logging
import os
from typing import Any

from ts.context import Context

LEVEL = "LOG_LEVEL"  # environment variable; config/log4j2.xml reads it, too
LEVELS = {"OFF": logging.CRITICAL + 1, "TRACE": logging.DEBUG, "ALL": logging.DEBUG}  # log4j's names that Python lacks


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
