"""`python -m deploy.exporter`: one Prometheus page with TorchServe's metrics, its workers, and the workers' metrics.

The workers' metrics are in files in PROMETHEUS_MULTIPROC_DIR. INKSERVE_KEY_FILE names the key file of a TorchServe with
tokens.
"""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import requests
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from deploy.metrics_files import MetricsFiles
from inkserve.management import Management, ManagementError, ModelVersion
from inkserve.readiness import read_readiness

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
TIMEOUT_S = 5
ERRORS = ("Requests4XX", "Requests5XX")
MANAGEMENT_TIMEOUT_S = (2.0, 2.0)  # connect, read
FRESH_S = 2.0  # scrapes within this time share an answer: the dashboard reads the page each second
VERSION = ("model", "version")
WORKER = (*VERSION, "worker")


class TorchServePage(Collector):
    """TorchServe's own metrics, and whether its page answers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False  # an address of this machine needs no proxy

    def collect(self) -> Iterator[Metric]:
        """Read the page; without an answer, `torchserve_up` is 0."""
        try:
            answer = self.session.get(self.url, timeout=TIMEOUT_S)
            answer.raise_for_status()
            families = list(text_string_to_metric_families(answer.text))
        except (requests.RequestException, ValueError):
            families = None
        yield GaugeMetricFamily(
            "torchserve_up", "Whether TorchServe's metrics page answers", value=families is not None
        )
        yield from with_zeros(families or [])


def with_zeros(families: Sequence[Metric]) -> Sequence[Metric]:
    """Start TorchServe's error counters at 0, as rate() misses the first error of a new series.

    They get the labels of its counter of successes, which exists from the first answer on.
    """
    by_name = {family.name: family for family in families}
    for sample in by_name["Requests2XX"].samples if "Requests2XX" in by_name else ():
        for name in ERRORS:
            if name in by_name and not by_name[name].samples:
                by_name[name].add_sample(f"{name}_total", sample.labels, 0)
    return families


class WorkerGauges(Collector):
    """Workers, their processes and queues, from TorchServe's management API; its own page has none of them.

    Without an answer, `torchserve_management_up` is 0 and the others are missing: old values would hide a dead server.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember the address of the management API.

        Args:
            url: such as `http://127.0.0.1:8081`.
            clock: returns s.
        """
        self._management = Management(url, timeout_s=MANAGEMENT_TIMEOUT_S)
        self._clock = clock
        self._lock = threading.Lock()  # scrapes may run in parallel
        self._found: list[Metric] | None = None
        self._read_at_s = float("-inf")

    def collect(self) -> Iterator[Metric]:
        """Return the gauges, at most FRESH_S old."""
        with self._lock:
            if self._clock() - self._read_at_s > FRESH_S:
                self._found = self._read()
                self._read_at_s = self._clock()
            found = self._found
        yield GaugeMetricFamily(
            "torchserve_management_up", "Whether TorchServe's management API answers", value=found is not None
        )
        yield from found or ()

    def process_ids(self) -> set[int] | None:
        """Return the process ids of all workers, None if they are not known."""
        try:
            return {worker.pid for version in self._management.versions() for worker in version.workers}
        except ManagementError:
            return None

    def _read(self) -> list[Metric] | None:
        try:
            return worker_families(self._management.versions())
        except ManagementError:
            return None


def worker_families(versions: Sequence[ModelVersion]) -> list[Metric]:
    """Return the metrics of loaded versions."""
    wanted = GaugeMetricFamily("torchserve_workers_wanted", "Workers that there should be", labels=VERSION)
    ready = GaugeMetricFamily("torchserve_workers_ready", "Workers that take requests", labels=VERSION)
    queue = GaugeMetricFamily("torchserve_queue_requests", "Requests that wait for a worker", labels=VERSION)
    process = GaugeMetricFamily(
        "torchserve_worker_process_id", "Process of a worker: another number is another process", labels=WORKER
    )
    memory = GaugeMetricFamily(
        "torchserve_worker_memory_bytes", "Resident, as TorchServe measures it once a minute", labels=WORKER
    )
    for version in versions:
        labels = [version.model, version.version]
        wanted.add_metric(labels, version.wanted_workers)
        ready.add_metric(labels, version.ready_workers)
        queue.add_metric(labels, version.waiting)
        for worker in version.workers:
            if worker.pid:  # 0 while the process starts
                process.add_metric([*labels, worker.id], worker.pid)
            if worker.memory_bytes:  # 0 in the first minute
                memory.add_metric([*labels, worker.id], worker.memory_bytes)
    return [wanted, ready, queue, process, memory]


class Ready(Collector):
    """Whether the server says that it is ready."""

    def __init__(self, url: str) -> None:
        """Remember the address of the inference API."""
        self._url = url

    def collect(self) -> Iterator[Metric]:
        """Ask; without an answer it is not ready."""
        ready = read_readiness(self._url, MANAGEMENT_TIMEOUT_S).is_ready
        yield GaugeMetricFamily("inkserve_ready", "Whether every loaded version has a ready worker", value=ready)


class PageServer(ThreadingMixIn, WSGIServer):
    """Serves each connection in a thread; one that is reset, as by a balancer's check, is no error to log."""

    daemon_threads = True
    request_queue_size = 1024  # by default 5: further connections wait for a second and more

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - of socketserver
        """Log an error that is not the client's."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class QuietHandler(WSGIRequestHandler):
    """Logs no requests, and waits for one for a limited time."""

    timeout = 30

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def make_registry(url: str, management_url: str | None = None, inference_url: str | None = None) -> CollectorRegistry:
    """Combine TorchServe's page, its management and inference APIs where there is a URL, and the workers' files."""
    registry = CollectorRegistry()
    registry.register(TorchServePage(url))
    gauges = WorkerGauges(management_url) if management_url else None
    if inference_url:
        registry.register(Ready(inference_url))
    if gauges:
        registry.register(gauges)
    registry.register(MetricsFiles(Path(os.environ[FOLDER]), gauges.process_ids if gauges else lambda: None))
    return registry


def main() -> int:
    """Serve the page until a signal ends it."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.exporter", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--torchserve", required=True, metavar="URL", help="TorchServe's own page")
    parser.add_argument(
        "--management", metavar="URL", help="TorchServe's management API; without it, the page has no workers"
    )
    parser.add_argument("--inference", metavar="URL", help="inference API; without it, the page has no inkserve_ready")
    parser.add_argument("--address", default="127.0.0.1", help="to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8082, help="to listen on (default: %(default)s)")
    options = parser.parse_args()
    if not os.path.isdir(os.environ.get(FOLDER, "")):  # noqa: PTH112 - it may be empty
        print(f"exporter: {FOLDER} names no folder; wanted the one of the workers", file=sys.stderr)
        return 2
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before threads start, which would inherit the mask
    app = make_wsgi_app(make_registry(options.torchserve, options.management, options.inference))
    with make_server(options.address, options.port, app, PageServer, QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        signal.sigwait(ends)
        server.shutdown()
        thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
