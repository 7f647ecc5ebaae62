"""Valid requests, one after the other on one connection: are the answers right, and how long do they take?"""

import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe

import numpy as np

from measuring.common.example_digits import check_answer, drawings
from measuring.common.raw_http import Connection, post
from measuring.reliability import CampaignError
from measuring.reliability.http_wire import LIMIT_S

PAUSE_S = 0.005  # between an answer and the next request
MODEL = "digits"


@dataclass
class ValidAnswers:
    """The answers to valid requests.

    Attributes:
        times_ms: of the right ones.
        errors: what was wrong with the others.
    """

    times_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile; NaN where there are none."""
        return float(np.percentile(self.times_ms, 99)) if self.times_ms else float("nan")

    def add(self, more: "ValidAnswers") -> None:
        """Append further answers."""
        self.times_ms += more.times_ms
        self.errors += more.errors


@contextmanager
def sending_valid_requests(url: str, limit_s: float = LIMIT_S) -> Iterator[ValidAnswers]:
    """Send drawings while the block runs; the yielded object has the first answer at once and all when the block ends.

    A process of its own sends them: in this one they would wait for the threads that make and check other requests.

    Raises:
        CampaignError: the process has ended by itself.
    """
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    ours, theirs = context.Pipe()
    process = context.Process(target=_send_until_told, args=(url, limit_s, theirs), daemon=True)
    answers = ValidAnswers()
    process.start()
    try:
        theirs.close()
        answers.add(_receive(ours))
        yield answers
        ours.send(None)
        answers.add(_receive(ours))
    finally:
        process.terminate()
        process.join()
        ours.close()


def _receive(pipe: Pipe) -> ValidAnswers:
    try:
        return pipe.recv()
    except EOFError as err:
        raise CampaignError("the process that sends valid requests has ended") from err


def _send_until_told(url: str, limit_s: float, pipe: Pipe) -> None:
    """Report the answer to a first drawing, then send more until a message comes through the pipe, and report those."""
    pipe.send(send_drawings(url, limit_s, lambda: True))
    pipe.send(send_drawings(url, limit_s, lambda: pipe.poll(PAUSE_S)))


def send_drawings(url: str, limit_s: float, is_over: Callable[[], bool]) -> ValidAnswers:
    """Send the drawings in turn; `is_over` is asked after each."""
    answers = ValidAnswers()
    connection = Connection(url, limit_s)
    pictures = [(post(f"{url}/predictions/{MODEL}", each.content, "image/png"), each.label) for each in drawings()]
    for request, label in itertools.cycle(pictures):
        started = time.monotonic()
        try:
            error = check_answer(*connection.ask(request), MODEL, label)
        except OSError as err:
            error = f"no answer: {err}"
        if error:
            answers.errors.append(error)
        else:
            answers.times_ms.append((time.monotonic() - started) * 1000)
        if is_over():
            break
    connection.close()
    return answers
