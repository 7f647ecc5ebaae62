"""`python -m deploy.exporter`: one Prometheus page with TorchServe's own metrics, its workers, and what they measure.

The workers' files lie where PROMETHEUS_MULTIPROC_DIR says, and INKSERVE_KEY_FILE names the key file of a TorchServe
with tokens.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence

import requests
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from deploy.worker_gauges import WorkersOfTorchServe

TIMEOUT_S = 5
ERRORS = ("Requests4XX", "Requests5XX")


class TorchServePage(Collector):
    """What TorchServe's own page says, and whether it says anything."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy of the environment is no way to this machine

    def collect(self) -> Iterator[Metric]:
        """Read the page; without one, `torchserve_up` is 0."""
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
    """Begin TorchServe's counters of errors at 0: one that appears with its first error hides that from rate().

    They have the labels of its counter of successes, which the first answer brings.
    """
    by_name = {family.name: family for family in families}
    for sample in by_name["Requests2XX"].samples if "Requests2XX" in by_name else ():
        for name in ERRORS:
            if name in by_name and not by_name[name].samples:
                by_name[name].add_sample(f"{name}_total", sample.labels, 0)
    return families


def make_registry(url: str, management_url: str | None = None) -> CollectorRegistry:
    """Put TorchServe's page, its management API where it is named, and the workers' files together."""
    registry = CollectorRegistry()
    registry.register(TorchServePage(url))
    if management_url:
        registry.register(WorkersOfTorchServe(management_url))
    MultiProcessCollector(registry)
    return registry


def main() -> int:
    """Serve the page until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.exporter", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--torchserve", required=True, metavar="URL", help="TorchServe's own page")
    parser.add_argument("--management", metavar="URL", help="TorchServe's management API; without it, no workers")
    parser.add_argument("--address", default="127.0.0.1", help="to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8082, help="to listen on (default: %(default)s)")
    options = parser.parse_args()
    if not os.path.isdir(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")):  # noqa: PTH112 - it may be empty
        print("exporter: PROMETHEUS_MULTIPROC_DIR names no folder; wanted the one of the workers", file=sys.stderr)
        return 2
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before there are threads that they could end
    server, thread = start_http_server(
        options.port, options.address, make_registry(options.torchserve, options.management)
    )
    signal.sigwait(ends)
    server.shutdown()
    thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
