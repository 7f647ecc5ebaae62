"""Threads that ask a server all the time, and what each was told."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import requests

from deploy.local.settings import NO_PROXY
from inkserve.client import Recogniser, RecogniserError
from measuring.common.drawings import Picture, fault

OK = "ok"
TIMEOUT_S = 60.0  # over each responseTimeout: what takes longer hangs
PAUSE_S = 0.05  # after a failure, so that a server that is down is not asked in a busy loop

Ask = Callable[[], str]


@dataclass(frozen=True)
class Sent:
    """A request.

    Attributes:
        began_s: of time.monotonic.
        took_s: until there was an answer, or none to be had.
        outcome: OK, or why not.
    """

    began_s: float
    took_s: float
    outcome: str


class Load:
    """Asks from several threads while its context is open."""

    def __init__(self, ask: Ask, threads: int = 8) -> None:
        """Prepare.

        Args:
            ask: sends one request and returns what came of it; called by all threads at once.
            threads: how many.
        """
        self._ask, self._ended = ask, threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        self.sent: list[Sent] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_S)

    def outcomes(self) -> Counter[str]:
        """Return how often each came."""
        return Counter(each.outcome for each in self.sent)

    def failed(self) -> Counter[str]:
        """Return how often each came that is not OK."""
        return Counter({outcome: count for outcome, count in self.outcomes().items() if outcome != OK})

    def slowest_s(self) -> float:
        """Return how long the slowest took."""
        return max((each.took_s for each in self.sent), default=0.0)

    def wait_for_answers(self, count: int, patience_s: float = TIMEOUT_S) -> bool:
        """Wait until so many requests that begin from now on are OK; False if that does not come about."""
        began_s = time.monotonic()
        while sum(each.outcome == OK and each.began_s > began_s for each in self.sent[:]) < count:
            if time.monotonic() > began_s + patience_s:
                return False
            time.sleep(PAUSE_S)
        return True

    def _run(self) -> None:
        while not self._ended.is_set():
            began_s = time.monotonic()
            outcome = self._ask()
            self.sent.append(Sent(began_s, time.monotonic() - began_s, outcome))
            if outcome != OK:
                self._ended.wait(PAUSE_S)


def plainly(url: str, pictures: Sequence[Picture], **headers: str) -> Ask:
    """Ask once for each prediction of `digits`, as any program would.

    Args:
        url: of the predictions.
        pictures: sent in turn.
        headers: of each request.
    """
    sessions, turn = threading.local(), itertools.cycle(pictures)

    def ask() -> str:
        if not hasattr(sessions, "http"):
            sessions.http = requests.Session()
        picture = next(turn)
        try:
            answer = sessions.http.post(url, data=picture.content, headers=headers, timeout=TIMEOUT_S, proxies=NO_PROXY)
        except requests.RequestException as err:
            return f"no answer: {type(err).__name__}"
        return fault(answer.status_code, answer.content, "digits", picture.label) or OK

    return ask


def with_client(recogniser: Recogniser, pictures: Sequence[Picture]) -> Ask:
    """Ask with our own client, which tries again."""
    turn = itertools.cycle(pictures)

    def ask() -> str:
        picture = next(turn)
        try:
            label = recogniser.predict(picture.content).label
        except RecogniserError as err:
            return f"{err.type}: {err.message}"
        return OK if label == picture.label else f"wrong label: {label!r} for {picture.label!r}"

    return ask
