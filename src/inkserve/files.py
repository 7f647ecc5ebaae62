"""Files that are written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def partial_of(path: Path) -> Path:
    """Return where a file is while it is written."""
    return path.with_name(f"{path.name}.partial")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a path to write to, which becomes `path` when the block ends without an error, and is removed otherwise.

    A kill at any moment leaves the old file or the new one. The folder is made where it is missing.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_of(path)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
