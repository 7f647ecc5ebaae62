"""Valid requests one after the other over a connection of their own: are they right, and how long do they take?"""

import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe

import numpy as np

from measuring.common.drawings import drawings, fault
from measuring.common.raw_http import Connection, post
from measuring.reliability.errors import TortureError
from measuring.reliability.wire import LIMIT_S

PAUSE_S = 0.005  # from an answer to the next request
MODEL = "digits"


@dataclass
class Probed:
    """What came of valid requests.

    Attributes:
        times_ms: of those with the right answer.
        faults: what was wrong with the others.
    """

    times_ms: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile; not a number if there are none."""
        return float(np.percentile(self.times_ms, 99)) if self.times_ms else float("nan")


@contextmanager
def probing(url: str, limit_s: float = LIMIT_S) -> Iterator[Probed]:
    """Send drawings meanwhile; what is given has what came of the first, and when the block ends, of all.

    From a process of its own: in this one they would wait for those who make and judge the other requests, and their
    times would tell of that.

    Raises:
        TortureError: the process has ended by itself.
    """
    context = multiprocessing.get_context("spawn")  # a copy of a process of several threads may hang
    ours, theirs = context.Pipe()
    process = context.Process(target=_probe, args=(url, limit_s, theirs), daemon=True)
    probed = Probed()
    process.start()
    try:
        theirs.close()
        add(probed, receive(ours))
        yield probed
        ours.send(None)
        add(probed, receive(ours))
    finally:
        process.terminate()
        process.join()
        ours.close()


def receive(pipe: Pipe) -> Probed:
    """Take what the probing process says.

    Raises:
        TortureError: it has ended.
    """
    try:
        return pipe.recv()
    except EOFError as err:
        raise TortureError("the process that sends valid requests has ended") from err


def add(probed: Probed, more: Probed) -> None:
    """Put what came of some requests to what came of others."""
    probed.times_ms += more.times_ms
    probed.faults += more.faults


def _probe(url: str, limit_s: float, pipe: Pipe) -> None:
    """Tell what came of a first drawing; send more until something comes through the pipe, then tell of them."""
    pipe.send(probe(url, limit_s, lambda: True))
    pipe.send(probe(url, limit_s, lambda: pipe.poll(PAUSE_S)))


def probe(url: str, limit_s: float, is_over: Callable[[], bool]) -> Probed:
    """Send our own drawings in turn until it is over, which is asked after each."""
    probed = Probed()
    connection = Connection(url, limit_s)
    pictures = [(post(f"{url}/predictions/{MODEL}", each.content, "image/png"), each.label) for each in drawings()]
    for request, label in itertools.cycle(pictures):
        ask(connection, request, label, probed)
        if is_over():
            break
    connection.close()
    return probed


def ask(connection: Connection, request: bytes, label: str, probed: Probed) -> None:
    """Send one drawing."""
    started = time.monotonic()
    try:
        status, body = connection.ask(request)
    except OSError as err:
        probed.faults.append(f"no answer: {err}")
        return
    wrong = fault(status, body, MODEL, label)
    if wrong:
        probed.faults.append(wrong)
    else:
        probed.times_ms.append((time.monotonic() - started) * 1000)
