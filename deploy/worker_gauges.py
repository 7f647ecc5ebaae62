"""Workers and queues as metrics, from TorchServe's management API: its own page tells of neither."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import requests
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inkserve.client.tokens import management_token

TIMEOUT_S = 2
FRESH_S = 2.0  # scrapes within it share an answer: the dashboard reads the page each second, Prometheus besides
MAX_MODELS = 1000  # in one answer; TorchServe's default is 100
VERSION = ("model", "version")
WORKER = (*VERSION, "worker")

Told = Mapping[str, Any]  # one version, as the management API describes it


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
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.auth = management_token(self.url)
        self.session.trust_env = False  # a proxy of the environment is no way to this machine
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
            listed = self._get(f"/models?limit={MAX_MODELS}")["models"]
            names = [quote(each["modelName"], safe="") for each in listed]
            return families([version for name in names for version in self._get(f"/models/{name}/all")])
        except (requests.RequestException, ValueError, KeyError, TypeError):
            return None

    def _get(self, path: str) -> Any:  # noqa: ANN401 - a JSON document
        answer = self.session.get(self.url + path, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()


def families(versions: Sequence[Told]) -> list[Metric]:
    """Make the metrics of the versions that the management API describes."""
    wanted = GaugeMetricFamily("torchserve_workers_wanted", "Workers that there should be", labels=VERSION)
    ready = GaugeMetricFamily("torchserve_workers_ready", "Workers that take requests", labels=VERSION)
    queue = GaugeMetricFamily("torchserve_queue_requests", "Requests that wait for a worker", labels=VERSION)
    process = GaugeMetricFamily(
        "torchserve_worker_process_id", "Process of a worker: another number is another process", labels=WORKER
    )
    memory = GaugeMetricFamily(
        "torchserve_worker_memory_bytes", "Resident, as TorchServe measures it once a minute", labels=WORKER
    )
    for told in versions:
        labels = [told["modelName"], told["modelVersion"]]
        workers = told["workers"]
        wanted.add_metric(labels, told.get("minWorkers") or 0)
        ready.add_metric(labels, sum(worker["status"] == "READY" for worker in workers))
        queue.add_metric(labels, told.get("jobQueueStatus", {}).get("pendingRequests", 0))
        for worker in workers:
            if worker.get("pid", 0) > 0:  # while a process starts there is none
                process.add_metric([*labels, str(worker["id"])], worker["pid"])
            if worker.get("memoryUsage", 0) > 0:  # nor is there a measurement in its first minute
                memory.add_metric([*labels, str(worker["id"])], worker["memoryUsage"])
    return [wanted, ready, queue, process, memory]
