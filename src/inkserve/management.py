"""The client of TorchServe's management API: which versions are loaded, how they are, and how to change that.

    from inkserve.management import Management

    for version in Management().versions():
        print(version.name, version.ready_workers, "of", version.wanted_workers, "workers ready")

Errors
------
ManagementError            the API does not answer, or refuses; the message says why
└── ModelApiOffError       the server loads and unloads nothing while it runs, which is its default
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, urlencode

import requests
from requests.auth import AuthBase

from inkserve.client.address import is_loopback, management_url
from inkserve.client.connection import Timeout
from inkserve.client.tokens import management_token
from inkserve.command import CommandError
from inkserve.forks import renew_after_fork
from inkserve.versions import order

READY = "READY"
MAX_MODELS = 1000  # in one answer; TorchServe's default is 100
TIMEOUT_S = (2.0, 10.0)  # connect, read
LOADING_TIMEOUT_S = (2.0, 150.0)  # a worker starts within it, also on a busy machine
DRAIN_S, POLL_S = 10.0, 0.1
BATCH_S = 1.0  # longer than a batch takes; the API does not tell whether a worker is busy
NOT_ALLOWED = (requests.codes.not_allowed, requests.codes.forbidden)


class ManagementError(CommandError):
    """The management API did not do what it was asked; the message says why."""


class ModelApiOffError(ManagementError):
    """The server loads and unloads nothing while it runs, which is its default."""


@dataclass(frozen=True)
class Worker:
    """One worker process.

    Attributes:
        id: TorchServe's, which stays the same when the process is restarted.
        pid: 0 while there is no process.
        is_ready: whether it takes requests.
        memory_bytes: resident memory, which TorchServe measures once a minute; 0 before the first measurement.
    """

    id: str
    pid: int
    is_ready: bool
    memory_bytes: int


@dataclass(frozen=True)
class ModelVersion:
    """One loaded version of a recogniser.

    Attributes:
        model: name of the recogniser.
        version: MAJOR.MINOR.
        is_default: whether it answers requests that name no version.
        workers: as the server lists them.
        wanted_workers: how many workers there should be.
        waiting: requests in its queue.
        batch_size: maximum number of requests in a batch.
        batch_delay_ms: maximum time that a batch waits to fill.
    """

    model: str
    version: str
    is_default: bool
    workers: tuple[Worker, ...]
    wanted_workers: int
    waiting: int = 0
    batch_size: int = 1
    batch_delay_ms: int = 0

    @property
    def name(self) -> str:
        """Recogniser and version, for people."""
        return f"{self.model} {self.version}"

    @property
    def ready_workers(self) -> int:
        """How many workers take requests."""
        return sum(worker.is_ready for worker in self.workers)

    @property
    def memory_mib(self) -> float:
        """Resident memory of all workers, shared pages counted for each; 0 before TorchServe's first measurement."""
        return sum(worker.memory_bytes for worker in self.workers) / 2**20


class Management:
    """A client of the management API; a context manager that closes its connections.

    Attributes:
        url: address of the API.
    """

    def __init__(self, url: str | None = None, auth: AuthBase | None = None, timeout_s: Timeout = TIMEOUT_S) -> None:
        """Remember an address; nothing is sent.

        Args:
            url: of the API; by default the one in INKSERVE_MANAGEMENT_URL, or else http://127.0.0.1:8081.
            auth: for a server with tokens; by default the token in the key file that INKSERVE_KEY_FILE names, or none.
            timeout_s: to connect and to wait for an answer. Loading, scaling and unloading wait up to
                LOADING_TIMEOUT_S.
        """
        self.url = (url or management_url()).rstrip("/")
        self._timeout_s = timeout_s
        self._auth = management_token(self.url) if auth is None else auth
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Open connections of this process's own."""
        self._http = requests.Session()
        self._http.auth = self._auth
        self._http.trust_env = not is_loopback(self.url)  # no proxy leads to this machine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def versions(self) -> tuple[ModelVersion, ...]:
        """Return all versions of all recognisers, by name; of one recogniser, the default version comes first.

        Raises:
            ManagementError: there is no answer, or it does not describe recognisers.
        """
        listed = self._get(f"?limit={MAX_MODELS}")
        try:
            found = [version for each in listed["models"] for version in self._versions_of(each["modelName"])]
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as err:
            raise ManagementError(f"{self.url}/models does not describe models: {err!r} is missing or wrong") from err
        return tuple(sorted(found, key=lambda each: (each.model, not each.is_default, order(each.version))))

    def card(self, model: str, version: str) -> Mapping[str, Any]:
        """Return the card of a version's weights, which a worker answers with; empty where there is none.

        Raises:
            ManagementError: there is no answer, or it has no card.
        """
        answer = self._get(f"{_path(model, version)}?customized=true")
        try:
            card = answer[0]["customizedMetadata"]
        except (KeyError, TypeError, IndexError) as err:
            raise ManagementError(f"{model} {version} has no card in the server's answer") from err
        return card if isinstance(card, Mapping) else {}

    def scale(self, model: str, version: str, workers: int) -> None:
        """Set the number of workers, and return when they are ready.

        Raises:
            ManagementError: they are not; the message says why.
        """
        query = urlencode({"min_worker": workers, "max_worker": workers, "synchronous": "true"})
        self._call("PUT", f"{_path(model, version)}?{query}", LOADING_TIMEOUT_S)

    def set_default(self, model: str, version: str) -> None:
        """Make a version the one that answers requests without a version, until the server restarts.

        Raises:
            ManagementError: it is not; the message says why.
        """
        self._call("PUT", f"{_path(model, version)}/set-default")

    def check_loading(self) -> None:
        """Check that the server loads and unloads archives while it runs, by asking it to load none.

        Raises:
            ModelApiOffError: it does not.
        """
        try:
            self._call("POST", "")
        except ModelApiOffError:
            raise
        except ManagementError:  # it wants the name of an archive, or does not answer, as `versions` says
            return

    def load(self, archive_name: str, workers: int = 1) -> None:
        """Load an archive of the model store, and return when its workers are ready.

        A version whose worker cannot start is unloaded again: TorchServe would keep it and restart its worker forever.

        Args:
            archive_name: file name in the model store.
            workers: how many to start.

        Raises:
            ManagementError: it is not loaded; the message says why.
        """
        query = urlencode({"url": archive_name, "initial_workers": workers, "synchronous": "true"})
        before = {each.name for each in self.versions()}
        try:
            self._call("POST", f"?{query}", LOADING_TIMEOUT_S)
        except ManagementError:
            for each in self.versions():
                if each.name not in before:
                    self._call("DELETE", _path(each.model, each.version), LOADING_TIMEOUT_S)
            raise

    def unload(self, model: str, version: str) -> None:
        """Unload a version once its requests are answered; TorchServe itself would drop them.

        Raises:
            ManagementError: it stays loaded; the message says why. The default version can only be unloaded last.
        """
        self._drain(model, version)
        self._call("DELETE", _path(model, version), LOADING_TIMEOUT_S)

    def _drain(self, model: str, version: str) -> None:
        """Wait until a version's queue is empty, at most DRAIN_S, and for the batch that its worker has."""
        give_up = time.monotonic() + DRAIN_S
        while any(each.waiting for each in self.versions() if (each.model, each.version) == (model, version)):
            if time.monotonic() > give_up:
                break
            time.sleep(POLL_S)
        time.sleep(BATCH_S)

    def _versions_of(self, model: str) -> list[ModelVersion]:
        found = self._get(f"{_path(model)}/all")
        default = found[0] if len(found) == 1 else self._get(_path(model))[0]
        return [_version(each, each["modelVersion"] == default["modelVersion"]) for each in found]

    def _get(self, path: str) -> Any:  # noqa: ANN401 - a JSON document
        answer = self._call("GET", path)
        try:
            return answer.json()
        except ValueError as err:
            raise ManagementError(f"the management API at {self.url} does not answer with JSON") from err

    def _call(self, method: str, path: str, timeout_s: Timeout | None = None) -> requests.Response:
        try:
            answer = self._http.request(method, f"{self.url}/models{path}", timeout=timeout_s or self._timeout_s)
        except requests.RequestException as err:
            raise ManagementError(f"the management API at {self.url} does not answer ({type(err).__name__})") from err
        if answer.status_code in NOT_ALLOWED:
            raise ModelApiOffError(
                "loading and unloading is off while the server runs: make down, then TS_ENABLE_MODEL_API=true make up"
            )
        if not answer.ok:
            raise ManagementError(_reason(answer))
        return answer


def _path(*parts: str) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _version(described: Mapping[str, Any], is_default: bool) -> ModelVersion:
    workers = tuple(_worker(each) for each in described["workers"])
    return ModelVersion(
        str(described["modelName"]),
        str(described["modelVersion"]),
        is_default,
        workers,
        wanted_workers=max(int(described.get("minWorkers") or 0), len(workers)),
        waiting=int(described.get("jobQueueStatus", {}).get("pendingRequests", 0)),
        batch_size=int(described.get("batchSize") or 1),
        batch_delay_ms=int(described.get("maxBatchDelay") or 0),
    )


def _worker(described: Mapping[str, Any]) -> Worker:
    memory, pid = (max(0, int(described.get(name) or 0)) for name in ("memoryUsage", "pid"))
    return Worker(str(described["id"]), pid, described["status"] == READY, memory)


def _reason(answer: requests.Response) -> str:
    """Return the server's own message for a refusal."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"the management API answers {answer.status_code}"
