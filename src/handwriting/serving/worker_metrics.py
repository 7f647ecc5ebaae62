"""What the workers measure, as Prometheus metrics.

Where PROMETHEUS_MULTIPROC_DIR names a folder, as `make up` sets it, all workers write into files there and one process
shows their sum; TorchServe's own way, a line of its log for each value of each batch, costs several percent of
throughput and knows no buckets below 5 ms. HANDWRITING_METRICS=off leaves all counts at 0; what counting costs is
measured with it.
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
    Overloaded,
    RequestError,
    UnsupportedMedia,
)
from handwriting.serving.batch import Request

SWITCH, OFF = "HANDWRITING_METRICS", "off"
LABELS = ("model", "version")
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ERRORS = (InvalidImage, InvalidRequest, ImageTooLarge, UnsupportedMedia, InternalError, Overloaded)
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
    """When a batch reached each stage, in s of one clock."""

    started: float
    prepared: float
    scored: float
    answered: float

    def header(self) -> str:
        """Write the stages as the HTTP header Server-Timing does (W3C, "Server Timing"), in ms."""
        stages = {
            "preprocessing": self.prepared - self.started,
            "inference": self.scored - self.prepared,
            "handler": self.answered - self.started,
        }
        return ", ".join(f"{name};dur={time_s * 1000:.3f}" for name, time_s in stages.items())


class Measures:
    """The metrics of one version of a recogniser."""

    def __init__(self, model: str, version: str) -> None:
        self.labels = (model, version)
        self.is_on = os.environ.get(SWITCH) != OFF
        self.ok = REQUESTS.labels(*self.labels, "ok")
        for kind in KINDS:  # at 0: a series that appears with its first event hides it from PromQL's rate()
            REQUESTS.labels(*self.labels, kind)
        self.batch_requests = BATCH_REQUESTS.labels(*self.labels)
        self.batch_pictures = BATCH_PICTURES.labels(*self.labels)
        self.preprocessing = PREPROCESSING.labels(*self.labels)
        self.inference = INFERENCE.labels(*self.labels)
        self.handler = HANDLER.labels(*self.labels)

    def record(self, requests: Sequence[Request | RequestError], times: Times) -> None:
        """Count a batch that has been answered."""
        if not self.is_on:
            return
        refused = [request for request in requests if isinstance(request, RequestError)]
        for error in refused:
            REQUESTS.labels(*self.labels, error.kind).inc()
        self.ok.inc(len(requests) - len(refused))
        self.batch_requests.observe(len(requests))
        self.batch_pictures.observe(sum(len(request.pages) for request in requests if isinstance(request, Request)))
        self.preprocessing.observe(times.prepared - times.started)
        self.inference.observe(times.scored - times.prepared)
        self.handler.observe(times.answered - times.started)
