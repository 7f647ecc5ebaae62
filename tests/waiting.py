"""Waits for what comes by itself."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 120.0  # of a test on a busy machine: nothing fails on a time
T = TypeVar("T")


def eventually(look: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """What a look finds as soon as it finds something."""
    give_up = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < give_up, f"waited {patience_s:.0f} s for {what}"
        time.sleep(0.1)
    return found
