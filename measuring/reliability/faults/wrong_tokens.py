"""Very many requests with wrong tokens, as somebody sends them who guesses."""

import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Sequence
from multiprocessing.queues import Queue
from pathlib import Path

import numpy as np

from measuring.common.criteria import Criterion
from measuring.common.raw_http import Connection, post
from measuring.common.temporary_server import predictions_url, running_stack
from measuring.reliability.faults.background_load import OK, Ask, BackgroundLoad, without_retries
from measuring.reliability.faults.faulty_server import DIGITS, MODEL, FaultyServer, no_failure

RATE = 1000  # wrong tokens/s
CONNECTIONS = 4
REFUSED = 400
PHASES = 3  # without and with wrong tokens, in turn
PAUSE_S = 0.04  # between two requests of the right client
MOST_TIMES = 3.0  # the p99 of the right client as a multiple of that without wrong tokens
TIMEOUT_S = 30.0
TOKEN = "right-0123456789abcdef"  # noqa: S105 - of a server that lives for a minute
WRONG = {"Authorization": "Bearer wrong-0123456789abcdef"}


def wrong_tokens(_: FaultyServer, seconds: float) -> Sequence[Criterion]:
    """Send wrong tokens to a server with a tokens file, while a client with the right one asks for predictions."""
    alone, among = [], []
    guesses, statuses = 0, set[int]()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokens.json"
        file.touch(0o600)
        file.write_text(json.dumps({"right": {"token": TOKEN, "for": "predictions"}}))
        with running_stack(DIGITS, tokens=True, tokens_file=file) as stack:
            url = predictions_url(stack, MODEL)
            ask = without_retries(url, Authorization=f"Bearer {TOKEN}")
            for _phase in range(PHASES):
                alone.append(asked_for(ask, seconds))
                with Guessing(url, seconds) as guessing:
                    among.append(asked_for(ask, seconds))
                guesses += guessing.answers
                statuses |= guessing.statuses
    alone_ms, among_ms = (1000 * p99_s(loads) for loads in (alone, among))
    count = sum(len(load.sent) for load in among)
    wanted = RATE * seconds * PHASES
    answered = f"{guesses:,} in {seconds * PHASES:.0f} s"
    times = f"{among_ms / alone_ms:.2f} x ({alone_ms:.1f} to {among_ms:.1f} ms, n = {count:,})"
    is_quick = among_ms < MOST_TIMES * alone_ms
    return [
        Criterion("wrong tokens: refused", f"all with {REFUSED}", f"with {sorted(statuses)}", statuses == {REFUSED}),
        Criterion("wrong tokens: sent", f"at least {0.9 * wanted:,.0f}", answered, guesses >= 0.9 * wanted, True),
        *(
            no_failure(f"wrong tokens: the right client is answered, {i} of {PHASES}", each)
            for i, each in enumerate(among, 1)
        ),
        Criterion("wrong tokens: p99 of the right client", f"< {MOST_TIMES:.0f} x", times, is_quick, True),
    ]


def asked_for(ask: Ask, seconds: float) -> BackgroundLoad:
    """Ask from one thread, with pauses, for so many seconds."""

    def ask_and_pause() -> str:
        outcome = ask()
        time.sleep(PAUSE_S)
        return outcome

    with BackgroundLoad(ask_and_pause, threads=1) as load:
        time.sleep(seconds)
    return load


def p99_s(loads: Sequence[BackgroundLoad]) -> float:
    """Return the p99 of the answered requests without the pauses, s."""
    times_s = [each.took_s - PAUSE_S for load in loads for each in load.sent if each.outcome == OK]
    return float(np.quantile(times_s, 0.99))


class Guessing:
    """Sends wrong tokens from a process of its own while its context is open.

    Attributes:
        answers: how many were answered.
        statuses: of the answers.
    """

    def __init__(self, url: str, seconds: float) -> None:
        """Prepare the process."""
        context = multiprocessing.get_context("spawn")
        self._found: Queue[tuple[int, set[int]]] = context.Queue()
        self._process = context.Process(target=guess, args=(url, seconds, self._found), daemon=True)
        self.answers, self.statuses = 0, set[int]()

    def __enter__(self) -> "Guessing":
        self._process.start()
        self._found.get(timeout=TIMEOUT_S)  # it begins
        return self

    def __exit__(self, *_: object) -> None:
        self.answers, self.statuses = self._found.get(timeout=2 * TIMEOUT_S)
        self._process.join()


def guess(url: str, seconds: float, found: "Queue[tuple[int, set[int]]]") -> None:
    """Send wrong tokens, RATE a second; put the number of answers and their statuses."""
    request = post(url, b"x", "image/png", WRONG)
    counts: list[int] = []
    statuses: set[int] = set()

    def send(offset_s: float) -> None:
        connection, count, step_s = Connection(url, TIMEOUT_S), 0, CONNECTIONS / RATE
        due = began + offset_s
        while due < began + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            statuses.add(connection.ask(request)[0])
            count += 1
            due += step_s
        connection.close()
        counts.append(count)

    found.put((0, set()))
    began = time.monotonic()
    threads = [threading.Thread(target=send, args=(number / RATE,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.put((sum(counts), statuses))
