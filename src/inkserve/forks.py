"""What a process that was forked must have of its own: connections and locks.

Over one connection, two processes get each other's answers; a lock that another thread held at the fork stays locked.
"""

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """Something with connections or locks."""

    def after_fork(self) -> None:
        """Replace them; called in the child, which has one thread then."""


THINGS: WeakSet[Forkable] = WeakSet()


def renew_after_fork(thing: Forkable) -> None:
    """Have a thing replace its connections and locks in each process that is forked from this one."""
    THINGS.add(thing)


def _after_fork() -> None:
    for thing in list(THINGS):
        thing.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork)
