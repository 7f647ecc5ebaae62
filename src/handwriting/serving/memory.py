"""A worker's memory, which it gives back after requests that took much of it."""

import ctypes
import gc
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

SPARE_BYTES = 32 * 2**20  # that may be kept: taking them from the system anew for each batch would cost time
PAUSE_S = 0.5  # from a large batch to giving back: TorchServe still holds its requests while they are answered
STATM = Path("/proc/self/statm")
RESIDENT = 1  # field of STATM, in pages


class Memory:
    """Returns to the system what large requests have left to glibc, which would keep hundreds of MiB for the next ones.

    Does so from a thread of its own, so that a worker that is asked nothing more gives back, too.
    """

    def __init__(self) -> None:
        """Take what is loaded by now out of the garbage collector's sight: it stays, and takes long to go through."""
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
        self._is_due = threading.Event()
        gc.collect()
        gc.freeze()
        self._kept_bytes = 0
        if self._trim is not None:
            self._kept_bytes = resident_bytes()
            threading.Thread(target=self._run, name="memory", daemon=True).start()

    def note(self) -> None:
        """Look after a batch whether there is something to give back."""
        if self._trim is None:
            return
        resident = resident_bytes()
        self._kept_bytes = min(self._kept_bytes, resident)
        if resident > self._kept_bytes + SPARE_BYTES:
            self._is_due.set()

    def _run(self) -> None:
        while True:
            self._is_due.wait()
            time.sleep(PAUSE_S)
            self._is_due.clear()
            give_back(self._trim)
            self._kept_bytes = resident_bytes()  # what is left is in use


def give_back(trim: Callable[[int], object]) -> None:
    """Collect garbage, then return what is free to the system."""
    gc.collect()
    trim(0)


def resident_bytes() -> int:
    """Return how much of this process is in memory; in some microseconds, on Linux alone."""
    return int(STATM.read_bytes().split()[RESIDENT]) * os.sysconf("SC_PAGE_SIZE")
