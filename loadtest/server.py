"""The server under load: whether it answers before the test, and what it counted meanwhile."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from inkserve.client import Recogniser, RecogniserError
from inkserve.management import Management, ManagementError
from inkserve.metrics import PageError, increase, mean, read_page, total
from loadtest.errors import LoadTestError
from measuring.common.drawings import drawings
from training.provenance import processor

TIMEOUT_S = 10


def check(host: str, model: str) -> str:
    """Have a picture read before the load.

    Returns:
        the version that reads it.

    Raises:
        LoadTestError: it is not, or wrongly.
    """
    picture = drawings()[0]
    try:
        with Recogniser(model, host, timeout_s=(2.0, 10.0)) as recogniser:
            found = recogniser.predict(picture.content)
    except RecogniserError as err:
        raise LoadTestError(f"{model} at {host} does not answer: {err}; start it with `make up`") from err
    if found.label != picture.label:
        raise LoadTestError(f"{model} reads {picture.name} as {found.label!r}; wanted a recogniser that reads digits")
    return found.version


@dataclass(frozen=True)
class Settings:
    """How a recogniser is served: batch size in requests, batch delay in ms, and its workers."""

    batch_size: int
    batch_delay_ms: int
    workers: int


def describe(url: str | None, model: str, version: str) -> Settings | None:
    """Ask the management API how a recogniser is served; None where it does not say, or has no address."""
    if url is None:
        return None
    try:
        with Management(url) as management:
            found = next(each for each in management.versions() if (each.model, each.version) == (model, version))
    except (ManagementError, StopIteration):
        return None
    return Settings(found.batch_size, found.batch_delay_ms, len(found.workers))


@dataclass(frozen=True)
class Counted:
    """What the server counted.

    Attributes:
        batches: in all.
        batch_requests: the mean number of requests in one.
        queue_ms: the mean time that a request waited for a worker.
        handler_ms: the mean time of a batch in the worker.
    """

    batches: int
    batch_requests: float
    queue_ms: float
    handler_ms: float


class Watch:
    """Compares the server's metrics before and after."""

    def __init__(self, url: str | None, model: str) -> None:
        self.url, self.model = url, model
        self.before = self._read()

    def stop(self) -> Counted | None:
        """Return what was counted since the start; None where there is no page of metrics."""
        after = self._read()
        if self.before is None or after is None:
            return None
        grown = increase(self.before, after)
        batches = total(grown, "handwriting_batch_requests_count", model=self.model)
        waited_us = total(grown, "ts_queue_latency_microseconds_total", model_name=self.model)
        requests_made = total(grown, "handwriting_batch_requests_sum", model=self.model)
        return Counted(
            int(batches),
            requests_made / batches if batches else float("nan"),
            waited_us / requests_made / 1000 if requests_made else float("nan"),
            1000 * (mean(grown, "handwriting_handler_seconds", model=self.model) or float("nan")),
        )

    def _read(self) -> Mapping | None:
        if self.url is None:
            return None
        try:
            answer = requests.get(self.url, timeout=TIMEOUT_S)
            answer.raise_for_status()
            return read_page(answer.text).values
        except (requests.RequestException, PageError):
            return None


def machine() -> str:
    """Name the machine of the test and the versions that matter."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("locust", "torchserve", "torch"))
    return f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, {versions}"
