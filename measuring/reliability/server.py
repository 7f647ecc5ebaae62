"""The server from inside its machine: workers and their memory, files, descriptors and logs."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from deploy.local.settings import NO_PROXY
from measuring.reliability.errors import TortureError

TIMEOUT_S = 10
TEMPORARY = re.compile(r"-Djava\.io\.tmpdir=(.+)")
UPLOADS = ("Attr_*", "FUp_*")  # Netty's, of parts of forms


@dataclass(frozen=True)
class State:
    """What a server is made of at one moment.

    Attributes:
        workers: process of each, by recogniser and worker.
        memory: resident bytes of each.
        uploads: files that the front end has kept of requests.
        descriptors: that the front end has open.
    """

    workers: Mapping[str, int]
    memory: Mapping[str, int]
    uploads: frozenset[str]
    descriptors: int

    def restarts(self, before: "State") -> Sequence[str]:
        """Name the workers that are other processes than before, or are gone."""
        return [name for name, pid in before.workers.items() if self.workers.get(name) != pid]

    def growth(self, before: "State") -> Mapping[str, float]:
        """Return by which share each worker's memory grew."""
        return {name: self.memory[name] / size - 1 for name, size in before.memory.items() if name in self.memory}


def look(management_url: str) -> State:
    """Look at a server on this machine.

    Raises:
        TortureError: its management API does not answer, or its processes are not here.
    """
    workers = find_workers(management_url)
    try:
        processes = {name: psutil.Process(pid) for name, pid in workers.items()}
        front_end = front_end_of(processes.values())
        uploads = {str(path) for kind in UPLOADS for path in temporary(front_end).glob(kind)}
        memory = {name: process.memory_info().rss for name, process in processes.items()}
        return State(workers, memory, frozenset(uploads), front_end.num_fds())
    except psutil.Error as err:
        raise TortureError(
            f"the workers at {management_url} cannot be looked at: {err}; is it on this machine?"
        ) from err


def find_workers(management_url: str) -> Mapping[str, int]:
    """Ask for the processes of all workers.

    Raises:
        TortureError: there is no answer.
    """
    try:
        models = ask(f"{management_url}/models?limit=1000")["models"]
        versions = [version for model in models for version in ask(f"{management_url}/models/{model['modelName']}/all")]
    except (requests.RequestException, ValueError, KeyError) as err:
        raise TortureError(f"the management API at {management_url} does not answer: {err}") from err
    return {
        f"{version['modelName']} {version['modelVersion']} worker {worker['id']}": worker["pid"]
        for version in versions
        for worker in version["workers"]
        if worker["pid"] > 0
    }


def ask(url: str) -> dict:
    """Get a JSON document."""
    answer = requests.get(url, timeout=TIMEOUT_S, proxies=NO_PROXY)
    answer.raise_for_status()
    return answer.json()


def front_end_of(workers: Sequence[psutil.Process]) -> psutil.Process:
    """Return the process that started the workers.

    Raises:
        TortureError: there are no workers.
    """
    parent = next((worker.parent() for worker in workers), None)
    if parent is None:
        raise TortureError("the server has no workers; wanted at least one")
    return parent


def temporary(front_end: psutil.Process) -> Path:
    """Return the folder where the front end keeps files for a time."""
    found = (TEMPORARY.fullmatch(option) for option in front_end.cmdline())
    return Path(next((match[1] for match in found if match), "/tmp"))  # noqa: S108 - Java's own default


def broken_log_lines(management_url: str) -> int:
    """Count the lines of requests.log that are no JSON: somebody has written a line of his own.

    Raises:
        TortureError: the server is not on this machine.
    """
    try:
        front_end = front_end_of([psutil.Process(pid) for pid in find_workers(management_url).values()])
        log = Path(front_end.environ().get("LOG_LOCATION", "logs")) / "requests.log"
    except psutil.Error as err:
        raise TortureError(f"the server at {management_url} cannot be looked at: {err}") from err
    return sum(not is_json(line) for line in log.read_text("utf-8").split("\n") if line) if log.exists() else 0


def is_json(line: str) -> bool:
    """Tell whether a line is a JSON object."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
