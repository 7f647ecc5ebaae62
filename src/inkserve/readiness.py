"""Whether a server is ready, as it says of itself at `/ready`; no token is needed and no prediction is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from inkserve.client.connection import Server, Timeout
from inkserve.client.exceptions import ServerDown
from inkserve.client.tokens import Token

TIMEOUT_S = (2.0, 5.0)  # connect, read
ANSWERS = (requests.codes.ok, requests.codes.service_unavailable)


@dataclass(frozen=True)
class VersionReadiness:
    """One loaded version.

    Attributes:
        model: name of the recogniser.
        version: MAJOR.MINOR.
        ready_workers: how many workers take requests.
        wanted_workers: how many there should be.
        waiting: requests in its queue.
        is_default: whether it answers requests that name no version.
    """

    model: str
    version: str
    ready_workers: int
    wanted_workers: int
    waiting: int
    is_default: bool


@dataclass(frozen=True)
class Readiness:
    """The state of a server.

    Attributes:
        reason: why it is not ready, or "".
        answers: whether it answered, and with this document.
        versions: each loaded version.
        is_silent: whether it did not answer in time, as a server does that is very busy.
    """

    reason: str
    answers: bool = False
    versions: tuple[VersionReadiness, ...] = ()
    is_silent: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether every loaded version has a worker that takes requests."""
        return not self.reason

    def has_all_workers(self) -> bool:
        """Return whether the server is ready, and no version lacks a worker."""
        return self.is_ready and all(each.ready_workers >= each.wanted_workers for each in self.versions)

    def fault(self, model: str) -> str:
        """Return why a recogniser cannot answer, or "" if one of its versions has a worker that takes requests."""
        own = [each for each in self.versions if each.model == model]
        if self.answers and not own:
            return self.reason or f"it has no recogniser {model}"
        return "" if any(each.ready_workers for each in own) else self.reason


def read_readiness(url: str | None = None, timeout_s: Timeout = TIMEOUT_S) -> Readiness:
    """Ask a server whether it is ready.

    Args:
        url: of the inference API; by default as for `Recogniser`.
        timeout_s: to connect and to wait for the answer.

    Returns:
        its state; if there is no answer, the reason says why.
    """
    server = Server(url, timeout_s, tries=1, auth=Token(""))
    with server.http:
        try:
            answer = server.get("/ready")
        except ServerDown as err:
            return Readiness(str(err), is_silent=isinstance(err.__cause__, requests.Timeout))
    try:
        return _read(answer.json()) if answer.status_code in ANSWERS else _unknown(answer)
    except (ValueError, KeyError, TypeError):
        return _unknown(answer)


def _read(document: Mapping[str, Any]) -> Readiness:
    versions = tuple(
        VersionReadiness(
            str(each["model"]),
            str(each["version"]),
            int(each["ready_workers"]),
            int(each["wanted_workers"]),
            int(each["waiting"]),
            bool(each["is_default"]),
        )
        for each in document["versions"]
    )
    reason = "" if document["ready"] else str(document.get("reason") or "it is not ready")
    return Readiness(reason, True, versions)


def _unknown(answer: requests.Response) -> Readiness:
    return Readiness(f"it answers /ready with status {answer.status_code}, and not as Inkserve does")
