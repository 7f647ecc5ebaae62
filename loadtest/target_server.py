"""The server under load: whether it answers, how it is served, and what it counts during the test."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from inkserve.client import Recogniser, RecogniserError
from inkserve.management import Management, ManagementError, ModelVersion
from inkserve.metrics import PageError, increase, mean, read_page, total
from inkserve.readiness import read_readiness
from loadtest.locust_run import LoadTestError
from measuring.common.example_digits import drawings
from training.provenance import processor

TIMEOUT_S = 10


def read_version(host: str, model: str) -> str:
    """Have a picture read by a ready server, and return the version that reads it.

    Raises:
        LoadTestError: the server is not ready, or there is no answer, or a wrong one.
    """
    if fault := read_readiness(host).fault(model):
        raise LoadTestError(f"{model} at {host} is not ready: {fault}; start it with `make up`")
    picture = drawings()[0]
    try:
        with Recogniser(model, host, timeout_s=(2.0, 10.0)) as recogniser:
            found = recogniser.predict(picture.content)
    except RecogniserError as err:
        raise LoadTestError(f"{model} at {host} does not answer: {err}; start it with `make up`") from err
    if found.label != picture.label:
        raise LoadTestError(f"{model} reads {picture.name} as {found.label!r}; wanted a recogniser of digits")
    return found.version


def describe_server(url: str | None, model: str, version: str) -> ModelVersion | None:
    """Ask the management API how a version is served; None without an address or an answer."""
    if url is None:
        return None
    try:
        with Management(url) as management:
            versions = management.versions()
    except ManagementError:
        return None
    return next((each for each in versions if (each.model, each.version) == (model, version)), None)


def describe_machine() -> str:
    """Name the processor and the versions of what is measured."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("locust", "torchserve", "torch"))
    return f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, {versions}"


@dataclass(frozen=True)
class ServerFigures:
    """What the server counted during a test.

    Attributes:
        batches: number of batches.
        batch_requests: mean number of requests in a batch.
        queue_ms: mean time of a request in the queue.
        handler_ms: mean time of a batch in the handler.
    """

    batches: int
    batch_requests: float
    queue_ms: float
    handler_ms: float


def read_metrics(url: str | None) -> Mapping | None:
    """Read the server's metrics page; None where there is none."""
    if url is None:
        return None
    try:
        answer = requests.get(url, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return read_page(answer.text).values
    except (requests.RequestException, PageError):
        return None


def counted_between(before: Mapping | None, after: Mapping | None, model: str) -> ServerFigures | None:
    """Return what was counted between two readings of the metrics page; None where one is missing."""
    if before is None or after is None:
        return None
    grown = increase(before, after)
    batches = total(grown, "handwriting_batch_requests_count", model=model)
    answered = total(grown, "handwriting_batch_requests_sum", model=model)
    queue_s = mean(grown, "inkserve_queue_seconds", model=model)
    handler_s = mean(grown, "handwriting_handler_seconds", model=model)
    return ServerFigures(
        int(batches),
        answered / batches if batches else float("nan"),
        1000 * (queue_s or float("nan")),
        1000 * (handler_s or float("nan")),
    )
