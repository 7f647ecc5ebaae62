"""What the management API tells of the server's recognisers, and what it does with them."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests

from dashboard.shared.catalogue import TIMEOUT_S, Served
from dashboard.shared.fleet import Fleet, Version, read_fleet
from deploy.default_versions import Defaults
from inkserve.client.address import is_loopback
from inkserve.client.tokens import management_token

DEFAULTS_VARIABLE = "INKSERVE_DEFAULTS"  # file in which `make up` looks for chosen versions after a restart
DRAIN_S, POLL_S = 10.0, 0.1
BATCH_S = 1.0  # longer than a batch takes; nobody tells when a worker is idle
LOADING_TIMEOUT_S = 150  # a worker's start, on a busy machine
NOT_ALLOWED = {requests.codes.not_allowed, requests.codes.forbidden}


class ManagementError(Exception):
    """The management API did not do what it was asked; the message says why."""


class ModelApiOffError(ManagementError):
    """The server loads and unloads nothing while it runs, which is its default."""


class Management:
    """A client of the management API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.auth = management_token(url)
        self.http.trust_env = not is_loopback(url)

    def fleet(self) -> Fleet:
        """Return all versions of all recognisers, by name; of one recogniser, the default version comes first.

        Raises:
            ManagementError: no answer, or none of the kind.
        """
        try:
            found = read_fleet(self.http, self.url)
        except (requests.RequestException, ValueError) as err:
            raise ManagementError(f"the management API at {self.url} does not answer ({type(err).__name__})") from err
        return tuple(sorted(found, key=lambda each: (each.model, not each.is_default, each.version)))

    def card(self, served: Served) -> Mapping[str, Any]:
        """Return the card that came with the weights; it takes a worker's answer.

        Raises:
            ManagementError: no answer, or none of the kind.
        """
        answer = self._call("GET", f"/{served.model}/{served.version}?customized=true")
        try:
            card = answer.json()[0]["customizedMetadata"]
        except (ValueError, KeyError, TypeError, IndexError) as err:
            raise ManagementError(f"{served} shows no card") from err
        return card if isinstance(card, Mapping) else {}

    def scale(self, served: Served, workers: int) -> None:
        """Have so many workers, and return when they are ready.

        Raises:
            ManagementError: why it has not come to that.
        """
        query = f"min_worker={workers}&max_worker={workers}&synchronous=true"
        self._call("PUT", f"/{served.model}/{served.version}?{query}", LOADING_TIMEOUT_S)

    def make_default(self, served: Served) -> None:
        """Have this version answer where none is named, also after a restart where the stack keeps a record.

        Raises:
            ManagementError: why it does not, or why it will not after a restart.
        """
        self._call("PUT", f"/{served.model}/{served.version}/set-default")
        if record := os.environ.get(DEFAULTS_VARIABLE):
            try:
                Defaults(Path(record)).choose(served.model, served.version)
            except OSError as err:
                raise ManagementError(f"{served} is the default until the next restart: {err}") from err

    def load(self, archive: str) -> None:
        """Load an archive of the model store, and return when a worker is ready.

        Args:
            archive: name of its file.

        Raises:
            ManagementError: why it is not loaded.
        """
        query = urlencode({"url": archive, "initial_workers": 1, "synchronous": "true"})
        there = {str(each.served) for each in self.fleet()}
        try:
            self._call("POST", f"?{query}", LOADING_TIMEOUT_S)
        except ManagementError:
            # TorchServe keeps a version whose worker cannot start, and starts one again and again
            for each in self.fleet():
                if str(each.served) not in there:
                    self._call("DELETE", f"/{each.model}/{each.version}", LOADING_TIMEOUT_S)
            raise

    def unload(self, served: Served) -> None:
        """Unload a version, once what it was asked is answered: TorchServe itself would drop that.

        Raises:
            ManagementError: why it stays; the default goes only as the last.
        """
        self._drain(served)
        self._call("DELETE", f"/{served.model}/{served.version}", LOADING_TIMEOUT_S)

    def _drain(self, served: Served) -> None:
        """Wait until nothing waits for a version, and for the batch that its worker has; not for ever."""
        give_up = time.monotonic() + DRAIN_S
        while any(each.waiting for each in self.fleet() if str(each.served) == str(served)):
            if time.monotonic() > give_up:
                break
            time.sleep(POLL_S)
        time.sleep(BATCH_S)

    def _call(self, method: str, path: str, timeout_s: float | tuple[float, float] = TIMEOUT_S) -> requests.Response:
        try:
            answer = self.http.request(method, f"{self.url}/models{path}", timeout=timeout_s)
        except requests.RequestException as err:
            raise ManagementError(f"the management API at {self.url} does not answer ({type(err).__name__})") from err
        if answer.status_code in NOT_ALLOWED:
            raise ModelApiOffError(
                "loading and unloading is off while the server runs: `make down`, then TS_ENABLE_MODEL_API=true make up"
            )
        if not answer.ok:
            raise ManagementError(reason(answer))
        return answer


def summary(card: Mapping[str, Any]) -> str:
    """Say in a line what a card promises."""
    if not card:
        return "No card: no worker answers."
    best = next(iter(card.get("metrics", [])), {})
    accuracy = f", {100 * best['accuracy']:.2f} % on {best['set']} (n = {best['n']:,})" if "accuracy" in best else ""
    size = f"{card.get('parameters', 0):,} parameters, {card.get('bytes', 0) / 1000:,.0f} kB"
    return f"{card.get('architecture', '')}: {size}{accuracy}"


def describe(state: Version) -> str:
    """Say in a line how a version is."""
    batches = f"batches of up to {state.batch_size} within {state.delay_ms} ms"
    ready = f"{state.ready} of {state.wanted} worker{'s' if state.wanted != 1 else ''} ready"
    memory = f"{state.memory_mib:,.0f} MiB · " if state.memory_mib else ""
    return f"{ready} · {state.waiting} waiting · {memory}{batches}"


def reason(answer: requests.Response) -> str:
    """Return the server's own words for a refusal."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"it answers {answer.status_code}"
