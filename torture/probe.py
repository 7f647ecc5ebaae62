"""Valid requests one after the other over a connection of their own: are they right, and how long do they take?"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from loadtest.lean import Connection, post
from loadtest.pictures import drawings, fault
from torture.wire import LIMIT_S

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

    @property
    def p50_ms(self) -> float:
        """The median; not a number if there are none."""
        return float(np.median(self.times_ms)) if self.times_ms else float("nan")


class Probe:
    """Sends our own drawings in turn until it is told to stop."""

    def __init__(self, url: str, limit_s: float = LIMIT_S) -> None:
        self.probed = Probed()
        self._connection = Connection(url, limit_s)
        self._pictures: Sequence = [
            (post(f"{url}/predictions/{MODEL}", each.content, "image/png"), each.label) for each in drawings()
        ]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Probe":
        """Begin, in the background."""
        self._thread.start()
        return self

    def stop(self) -> Probed:
        """End, and return what came."""
        self._stopped.set()
        self._thread.join()
        self.close()
        return self.probed

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def ask(self, number: int) -> None:
        """Send one drawing."""
        request, label = self._pictures[number % len(self._pictures)]
        started = time.monotonic()
        try:
            status, body = self._connection.ask(request)
        except OSError as err:
            self.probed.faults.append(f"no answer: {err}")
            return
        wrong = fault(status, body, MODEL, label)
        if wrong:
            self.probed.faults.append(wrong)
        else:
            self.probed.times_ms.append((time.monotonic() - started) * 1000)

    def _run(self) -> None:
        number = 0
        while number == 0 or not self._stopped.wait(PAUSE_S):
            self.ask(number)
            number += 1


def probe_idle(url: str, count: int, limit_s: float = LIMIT_S) -> Probed:
    """Send so many drawings to a server that does nothing else."""
    probe = Probe(url, limit_s)
    for number in range(count):
        probe.ask(number)
        time.sleep(PAUSE_S)
    probe.close()
    return probe.probed
