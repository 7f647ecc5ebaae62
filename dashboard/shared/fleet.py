"""The versions and workers that TorchServe's management API tells of, and what changed between two looks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import requests

from dashboard.shared.catalogue import TIMEOUT_S, Served

READY = "READY"
MAX_MODELS = 1000  # in one answer; its default is 100


@dataclass(frozen=True)
class Worker:
    """One worker process.

    Attributes:
        id: TorchServe's, which stays when the process is started anew.
        pid: 0 while there is no process.
        is_ready: whether it takes requests.
        memory_bytes: resident memory, which TorchServe measures once a minute; 0 before.
    """

    id: str
    pid: int
    is_ready: bool
    memory_bytes: int


@dataclass(frozen=True)
class Version:
    """One version of a recogniser.

    Attributes:
        model: name of the recogniser.
        version: MAJOR.MINOR.
        is_default: whether it answers requests that name no version.
        workers: as the server lists them.
        wanted: how many workers there should be.
        waiting: requests in its queue.
        batch_size: requests in a batch, at most.
        delay_ms: that a batch waits for, at most.
    """

    model: str
    version: str
    is_default: bool
    workers: tuple[Worker, ...]
    wanted: int
    waiting: int = 0
    batch_size: int = 1
    delay_ms: int = 0

    @property
    def name(self) -> str:
        """For a reader."""
        return str(self.served)

    @property
    def served(self) -> Served:
        """What is chosen to ask it."""
        return Served(self.model, self.version, self.is_default)

    @property
    def ready(self) -> int:
        """How many workers take requests."""
        return sum(worker.is_ready for worker in self.workers)

    @property
    def memory_mib(self) -> float:
        """Of its workers, what they share counted for each; 0 until TorchServe has looked, once a minute."""
        return sum(worker.memory_bytes for worker in self.workers) / 2**20


Fleet = tuple[Version, ...]


def read_fleet(session: requests.Session, url: str) -> Fleet:
    """Ask a management API for all versions and their workers.

    Raises:
        requests.RequestException: it does not answer, or not with JSON.
        ValueError: its answer lacks what should be in it.
    """
    listed = _get(session, f"{url}/models?limit={MAX_MODELS}")
    try:
        return tuple(version for each in listed["models"] for version in _versions(session, url, each["modelName"]))
    except (KeyError, TypeError, AttributeError) as err:
        raise ValueError(f"{url}/models does not describe models: {err!r} is missing or wrong") from err


def changes(before: Fleet, after: Fleet) -> list[str]:
    """Tell what happened between two looks: versions that came and went, worker counts, and processes replaced."""
    old, new = ({version.name: version for version in fleet} for fleet in (before, after))
    told = [f"{name} appeared" for name in new.keys() - old.keys()]
    told += [f"{name} disappeared" for name in old.keys() - new.keys()]
    for name in old.keys() & new.keys():
        counts = len(old[name].workers), len(new[name].workers)
        if counts[0] != counts[1]:
            told.append(f"{name}: {counts[0]} to {_workers(counts[1])}")
        if restarted := sum(_replaced(old[name].workers, new[name].workers)):
            told.append(f"{name}: {_workers(restarted)} restarted")
    return sorted(told)


def without_processes(fleet: Fleet) -> Fleet:
    """Forget the processes: after the server itself was started anew, they all differ, which is no news."""
    return tuple(replace(each, workers=_without_pids(each.workers)) for each in fleet)


def _without_pids(workers: Sequence[Worker]) -> tuple[Worker, ...]:
    return tuple(Worker(each.id, 0, each.is_ready, each.memory_bytes) for each in workers)


def _replaced(before: Sequence[Worker], after: Sequence[Worker]) -> Iterator[bool]:
    pids = {worker.id: worker.pid for worker in before}
    return (bool(worker.pid and pids.get(worker.id) and pids[worker.id] != worker.pid) for worker in after)


def _workers(count: int) -> str:
    return f"{count} worker{'' if count == 1 else 's'}"


def _versions(session: requests.Session, url: str, model: str) -> list[Version]:
    path = f"{url}/models/{quote(model, safe='')}"
    found = _get(session, f"{path}/all")
    default = found[0] if len(found) == 1 else _get(session, path)[0]
    return [_version(each, each["modelVersion"] == default["modelVersion"]) for each in found]


def _version(told: Mapping[str, Any], is_default: bool) -> Version:
    workers = tuple(_worker(each) for each in told["workers"])
    wanted = max(int(told.get("minWorkers") or 0), len(workers))
    return Version(
        told["modelName"],
        told["modelVersion"],
        is_default,
        workers,
        wanted,
        waiting=int(told.get("jobQueueStatus", {}).get("pendingRequests", 0)),
        batch_size=int(told.get("batchSize") or 1),
        delay_ms=int(told.get("maxBatchDelay") or 0),
    )


def _worker(told: Mapping[str, Any]) -> Worker:
    memory, pid = (max(0, int(told.get(name) or 0)) for name in ("memoryUsage", "pid"))
    return Worker(str(told["id"]), pid, told["status"] == READY, memory)


def _get(session: requests.Session, address: str) -> Any:  # noqa: ANN401 - a JSON document
    answer = session.get(address, timeout=TIMEOUT_S)
    answer.raise_for_status()
    return answer.json()
