"""Load from threads while a fault is injected, and what each request came to."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import requests

from deploy.local.settings import NO_PROXY
from inkserve.client import Recogniser, RecogniserError
from measuring.common.example_digits import check_answer, drawings

OK = "ok"
TIMEOUT_S = 60.0  # longer than each responseTimeout
PAUSE_S = 0.05  # after a failure, so that a stopped server is not asked in a busy loop
PATIENCE_S = 120.0

Ask = Callable[[], str]


@dataclass(frozen=True)
class Sent:
    """A request.

    Attributes:
        began_s: of time.monotonic.
        took_s: until the answer, or the failure.
        outcome: OK, or what was wrong.
    """

    began_s: float
    took_s: float
    outcome: str


class BackgroundLoad:
    """Sends requests from several threads while its context is open."""

    def __init__(self, ask: Ask, threads: int = 8) -> None:
        """Prepare the threads.

        Args:
            ask: sends one request and returns its outcome; all threads call it.
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
        """Return the number of requests with each outcome."""
        return Counter(each.outcome for each in self.sent)

    def failed(self) -> set[str]:
        """Return the outcomes that are not OK."""
        return set(self.outcomes()) - {OK}

    def slowest_s(self) -> float:
        """Return the longest time of a request."""
        return max((each.took_s for each in self.sent), default=0.0)

    def wait_for_answers(self, count: int, patience_s: float = PATIENCE_S) -> bool:
        """Wait until so many requests that begin from now on are OK; False if that takes longer than `patience_s`."""
        began_s = time.monotonic()
        while sum(each.outcome == OK and each.began_s > began_s for each in self.sent[:]) < count:
            if time.monotonic() > began_s + patience_s:
                return False
            time.sleep(PAUSE_S)
        return True

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {outcome}" for outcome, count in self.outcomes().most_common()) or "no request"

    def _run(self) -> None:
        while not self._ended.is_set():
            began_s = time.monotonic()
            outcome = self._ask()
            self.sent.append(Sent(began_s, time.monotonic() - began_s, outcome))
            if outcome != OK:
                self._ended.wait(PAUSE_S)


def without_retries(url: str, **headers: str) -> Ask:
    """Send each drawing once to a recogniser of digits at `url`, as any HTTP client does."""
    sessions, pictures = threading.local(), itertools.cycle(drawings())

    def ask() -> str:
        if not hasattr(sessions, "http"):
            sessions.http = requests.Session()
        picture = next(pictures)
        try:
            answer = sessions.http.post(url, data=picture.content, headers=headers, timeout=TIMEOUT_S, proxies=NO_PROXY)
        except requests.RequestException as err:
            return f"no answer: {type(err).__name__}"
        return check_answer(answer.status_code, answer.content, "digits", picture.label) or OK

    return ask


def with_retries(recogniser: Recogniser) -> Ask:
    """Send drawings with the project's client, which retries."""
    pictures = itertools.cycle(drawings())

    def ask() -> str:
        picture = next(pictures)
        try:
            label = recogniser.predict(picture.content).label
        except RecogniserError as err:
            return f"{err.type}: {err.message}"
        return OK if label == picture.label else f"wrong label: {label!r} for {picture.label!r}"

    return ask
