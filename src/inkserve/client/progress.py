"""Going through many pictures: a chunk at a time, with a bar."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Take items a chunk at a time; the last one may be shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


@contextmanager
def progress_bar(total: int, wanted: bool) -> Iterator[Callable[[], object]]:
    """Draw a progress bar on stderr where that is a terminal.

    Args:
        total: pictures in all, 0 if unknown.
        wanted: whether to draw it at all.

    Yields:
        what to call after each picture.
    """
    if not (wanted and sys.stderr.isatty()):
        yield lambda: None
        return
    from tqdm import tqdm  # noqa: PLC0415 - not installed with the dashboard, which shows no bar

    with tqdm(total=total or None, unit=" pictures") as bar:
        yield bar.update
