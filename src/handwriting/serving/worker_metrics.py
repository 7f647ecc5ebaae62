"""Prometheus metrics of the workers.

All workers write into files in the folder PROMETHEUS_MULTIPROC_DIR, which `make up` sets, and `deploy.exporter` serves
their sum. TorchServe's own metrics, a log line for each value of each batch, cost several percent of throughput and
have no buckets below 5 ms. HANDWRITING_METRICS=off turns counting off, so that its cost can be measured.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from handwriting.errors import (
    ImageTooLarge,
    InternalError,
    InvalidImage,
    InvalidRequest,
    NotRead,
    Overloaded,
    RequestError,
    UnsupportedMedia,
)
from handwriting.serving.batch import PreparedRequest

SWITCH, OFF = "HANDWRITING_METRICS", "off"
LABELS = ("model", "version")
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ERRORS = (InvalidImage, InvalidRequest, NotRead, ImageTooLarge, UnsupportedMedia, InternalError, Overloaded)
KINDS = tuple(each().kind for each in ERRORS)
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

REQUESTS = Counter("handwriting_requests", 'Requests by outcome: "ok", or the type of the error', [*LABELS, "outcome"])
BATCH_REQUESTS = Histogram("handwriting_batch_requests", "Requests in a batch", LABELS, buckets=COUNTS)
BATCH_PICTURES = Histogram("handwriting_batch_pictures", "Pictures in a batch", LABELS, buckets=COUNTS)
PREPROCESSING = Histogram(
    "handwriting_preprocessing_seconds", "From bodies to frames, a batch", LABELS, buckets=SECONDS
)
INFERENCE = Histogram("handwriting_inference_seconds", "In the network, a batch", LABELS, buckets=SECONDS)
HANDLER = Histogram("handwriting_handler_seconds", "In the handler as a whole, a batch", LABELS, buckets=SECONDS)


@dataclass(frozen=True)
class Times:
    """When a batch finished each stage, in s of one clock."""

    started: float
    prepared: float
    scored: float
    answered: float

    def header(self) -> str:
        """Return the HTTP header Server-Timing (W3C, "Server Timing") with the duration of each stage in ms."""
        stages = {
            "preprocessing": self.prepared - self.started,
            "inference": self.scored - self.prepared,
            "handler": self.answered - self.started,
        }
        return ", ".join(f"{name};dur={time_s * 1000:.3f}" for name, time_s in stages.items())


class WorkerMetrics:
    """The metrics of one version of a recogniser."""

    def __init__(self, model: str, version: str) -> None:
        self.labels = (model, version)
        self.is_on = os.environ.get(SWITCH) != OFF
        self.ok = REQUESTS.labels(*self.labels, "ok")
        for kind in KINDS:  # starts them at 0: PromQL's rate() misses the first event of a new series
            REQUESTS.labels(*self.labels, kind)
        self.batch_requests = BATCH_REQUESTS.labels(*self.labels)
        self.batch_pictures = BATCH_PICTURES.labels(*self.labels)
        self.preprocessing = PREPROCESSING.labels(*self.labels)
        self.inference = INFERENCE.labels(*self.labels)
        self.handler = HANDLER.labels(*self.labels)

    def record(self, requests: Sequence[PreparedRequest | RequestError], times: Times) -> None:
        """Count an answered batch."""
        if not self.is_on:
            return
        failed = [request for request in requests if isinstance(request, RequestError)]
        for error in failed:
            REQUESTS.labels(*self.labels, error.kind).inc()
        self.ok.inc(len(requests) - len(failed))
        self.batch_requests.observe(len(requests))
        prepared = (request for request in requests if isinstance(request, PreparedRequest))
        self.batch_pictures.observe(sum(len(request.pictures) for request in prepared))
        self.preprocessing.observe(times.prepared - times.started)
        self.inference.observe(times.scored - times.prepared)
        self.handler.observe(times.answered - times.started)
