"""The workers' metrics files, as one page; those of dead workers are put together.

Each worker process has a file for its counters and one for its histograms, which stay when it dies, as its counts do.
Each scrape reads all of them.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

KINDS = ("counter", "histogram")  # whose values are sums
TOGETHER = "dead"  # in place of a process id
# Another order of the same sum may be smaller by a rounding, which Prometheus would take for a counter that began again
ROUNDING = 1 + 1e-12
QUIET_S = 60.0  # a file that was written lately may be of a process that is not yet known
PERIOD_S = 30.0


class MetricsFiles(Collector):
    """What the workers have counted."""

    def __init__(self, folder: Path, living: Callable[[], Collection[int] | None]) -> None:
        """Remember a folder.

        Args:
            folder: of the files.
            living: returns the process ids of the workers, None while they are not known: then no file is touched.
        """
        self._folder, self._living = folder, living
        self._lock = threading.Lock()  # scrapes may run in parallel
        self._looked_at_s = float("-inf")

    def collect(self) -> Iterator[Metric]:
        """Return the sums over all files."""
        with self._lock:
            if time.monotonic() - self._looked_at_s > PERIOD_S:
                self._looked_at_s = time.monotonic()
                living = self._living()
                if living is not None:
                    put_together(self._folder, living)
            yield from list(MultiProcessCollector(CollectorRegistry(), str(self._folder)).collect())


def put_together(folder: Path, living: Collection[int], quiet_s: float = QUIET_S) -> None:
    """Replace the files of dead processes by one of each kind, with the same sums: no counter goes back.

    Args:
        folder: of the files.
        living: process ids of workers, whether this process can see them or not.
        quiet_s: files that were written within this time stay.
    """
    latest_s = time.time() - quiet_s
    for kind in KINDS:
        dead = [
            path
            for path in folder.glob(f"{kind}_*.db")
            if (pid := _process_id(path)) is not None
            and pid not in living
            and not psutil.pid_exists(pid)
            and path.stat().st_mtime < latest_s
        ]
        if dead:
            _merge([*folder.glob(f"{kind}_{TOGETHER}.db"), *dead], folder / f"{kind}_{TOGETHER}.db")
            for path in dead:
                path.unlink()


def _process_id(path: Path) -> int | None:
    number = path.stem.rpartition("_")[2]
    return int(number) if number.isdigit() else None


def _merge(files: Collection[Path], target: Path) -> None:
    sums: defaultdict[str, float] = defaultdict(float)
    for path in files:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):
            sums[key] += value
    partial = target.with_suffix(".partial")  # not read as a metrics file
    partial.unlink(missing_ok=True)
    merged = MmapedDict(str(partial))
    for key, value in sums.items():
        merged.write_value(key, value if value.is_integer() else value * ROUNDING, 0.0)
    merged.close()
    partial.replace(target)
