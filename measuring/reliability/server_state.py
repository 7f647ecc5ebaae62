"""The server as seen on its own machine: worker processes, memory, temporary files, descriptors and logs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from inkserve.management import Management
from measuring.common.example_digits import read_object
from measuring.reliability import CampaignError

TEMPORARY = re.compile(r"-Djava\.io\.tmpdir=(.+)")
UPLOADS = ("Attr_*", "FUp_*")  # Netty's files for parts of forms


@dataclass(frozen=True)
class ServerState:
    """A server at one moment.

    Attributes:
        workers: process id of each worker, by recogniser and worker id.
        memory_bytes: resident memory of each worker.
        uploads: files that the front end keeps of requests.
        descriptors: that the front end has open.
        broken_log_lines: lines of requests.log that are not JSON.
    """

    workers: Mapping[str, int]
    memory_bytes: Mapping[str, int]
    uploads: frozenset[str]
    descriptors: int
    broken_log_lines: int = 0

    def restarted(self, before: "ServerState") -> Sequence[str]:
        """Name the workers that have ended since."""
        return [name for name, pid in before.workers.items() if self.workers.get(name) != pid]

    def growth(self, before: "ServerState") -> Mapping[str, float]:
        """Return by which share each worker's memory grew."""
        sizes = before.memory_bytes.items()
        return {name: self.memory_bytes[name] / size - 1 for name, size in sizes if name in self.memory_bytes}


def read_state(management_url: str) -> ServerState:
    """Read the state of a server on this machine.

    Raises:
        CampaignError: its processes are not on this machine.
        ManagementError: its management API does not answer.
    """
    with Management(management_url) as management:
        versions = management.versions()
    workers = {
        f"{each.name} worker {worker.id}": worker.pid for each in versions for worker in each.workers if worker.pid
    }
    try:
        processes = {name: psutil.Process(pid) for name, pid in workers.items()}
        front_end = _front_end_of(list(processes.values()))
        uploads = {str(path) for kind in UPLOADS for path in _temporary_folder(front_end).glob(kind)}
        memory = {name: process.memory_info().rss for name, process in processes.items()}
        log = Path(front_end.environ().get("LOG_LOCATION", "logs")) / "requests.log"
        return ServerState(workers, memory, frozenset(uploads), front_end.num_fds(), _broken_lines(log))
    except psutil.Error as err:
        raise CampaignError(f"no access to the workers of {management_url}: {err}; is it on this machine?") from err


def _front_end_of(workers: Sequence[psutil.Process]) -> psutil.Process:
    """Return the process that started the workers."""
    parent = workers[0].parent() if workers else None
    if parent is None:
        raise CampaignError("the server has no workers; wanted at least one")
    return parent


def _temporary_folder(front_end: psutil.Process) -> Path:
    """Return the folder of Java's temporary files."""
    found = (TEMPORARY.fullmatch(option) for option in front_end.cmdline())
    return Path(next((match[1] for match in found if match), "/tmp"))  # noqa: S108 - Java's own default


def _broken_lines(log: Path) -> int:
    """Count the lines that are no JSON object: a request has injected a line."""
    lines = log.read_bytes().split(b"\n") if log.exists() else []
    return sum(not read_object(line) for line in lines if line)
