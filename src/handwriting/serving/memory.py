"""Returns memory to the system after batches that took much of it."""

import ctypes
import gc
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

SPARE_BYTES = 12 * 2**20  # a worker keeps this much more than it needs: asking the system for it again takes time
PAUSE_S = 0.5  # between a large batch and the trim: TorchServe holds the requests until they are answered
STATM = Path("/proc/self/statm")
RESIDENT = 1  # field of STATM, in pages


class MemoryTrimmer:
    """Returns free memory to the system; glibc would keep hundreds of MiB of it for later requests.

    Trims in a thread of its own, so that an idle worker trims, too.
    """

    def __init__(self) -> None:
        """Exclude all loaded objects from garbage collection: they stay, and scanning them takes long."""
        self._trim: Callable[[int], object] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        self._is_due = threading.Event()
        gc.collect()
        gc.freeze()
        self._kept_bytes = 0
        if self._trim is not None:
            self._kept_bytes = resident_bytes()
            threading.Thread(target=self._run, args=[self._trim], name="memory", daemon=True).start()

    def after_batch(self) -> None:
        """Schedule a trim if the process has grown by more than SPARE_BYTES."""
        if self._trim is None:
            return
        resident = resident_bytes()
        self._kept_bytes = min(self._kept_bytes, resident)
        if resident > self._kept_bytes + SPARE_BYTES:
            self._is_due.set()

    def _run(self, trim: Callable[[int], object]) -> None:
        while True:
            self._is_due.wait()
            time.sleep(PAUSE_S)
            self._is_due.clear()
            release(trim)
            self._kept_bytes = resident_bytes()  # the rest is in use


def release(trim: Callable[[int], object]) -> None:
    """Collect garbage, then return free memory to the system."""
    gc.collect()
    trim(0)


def resident_bytes() -> int:
    """Return the resident size of this process. Takes some microseconds; works on Linux only."""
    return int(STATM.read_bytes().split()[RESIDENT]) * os.sysconf("SC_PAGE_SIZE")
