"""Workers and queues as metrics, from TorchServe's management API: its own page tells of neither."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inkserve.management import Management, ManagementError, ModelVersion

TIMEOUT_S = (2.0, 2.0)  # connect, read
FRESH_S = 2.0  # scrapes within it share an answer: the dashboard reads the page each second, Prometheus besides
VERSION = ("model", "version")
WORKER = (*VERSION, "worker")


class WorkersOfTorchServe(Collector):
    """Workers that should run, that take requests, their processes, and the requests that wait for them.

    Without an answer `torchserve_management_up` is 0 and the others are missing: an old number would hide a death.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember the address of the management API; nothing is asked.

        Args:
            url: such as `http://127.0.0.1:8081`.
            clock: tells s.
        """
        self._management = Management(url, timeout_s=TIMEOUT_S)
        self._clock = clock
        self._lock = threading.Lock()  # several scrapes may come at once
        self._found: list[Metric] | None = None
        self._read_at_s = float("-inf")

    def collect(self) -> Iterator[Metric]:
        """Tell what the API said at most FRESH_S ago."""
        with self._lock:
            if self._clock() - self._read_at_s > FRESH_S:
                self._found = self._read()
                self._read_at_s = self._clock()
            found = self._found
        yield GaugeMetricFamily(
            "torchserve_management_up", "Whether TorchServe's management API answers", value=found is not None
        )
        yield from found or ()

    def _read(self) -> list[Metric] | None:
        try:
            return families(self._management.versions())
        except ManagementError:
            return None


def families(versions: Sequence[ModelVersion]) -> list[Metric]:
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
            if worker.pid:  # while a process starts there is none
                process.add_metric([*labels, worker.id], worker.pid)
            if worker.memory_bytes:  # nor is there a measurement in its first minute
                memory.add_metric([*labels, worker.id], worker.memory_bytes)
    return [wanted, ready, queue, process, memory]
