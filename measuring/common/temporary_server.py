"""A TorchServe of one's own with chosen archives, for as long as a measurement takes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.checksums import copy_archive
from deploy.local.settings import DEFAULT_PORTS, ROOT, Settings, free_ports
from deploy.local.stack import Stack


@contextmanager
def serving(*archives: Path) -> Iterator[str]:
    """Start TorchServe on free ports with these archives alone, yield its inference address, and stop it.

    Raises:
        StackError: it does not start.
    """
    with running_stack(*archives) as stack:
        yield stack.settings.url("INFERENCE_PORT")


@contextmanager
def running_stack(*archives: Path) -> Iterator[Stack]:
    """The same, for those who want more of it than its address.

    Raises:
        StackError: it does not start.
    """
    runs = ROOT / "runs"
    runs.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=runs, prefix="server-") as folder:
        model_store = Path(folder) / "model_store"
        model_store.mkdir()
        for archive in archives:
            copy_archive(archive, model_store)
        ports = dict(zip(DEFAULT_PORTS, free_ports(len(DEFAULT_PORTS)), strict=True))
        stack = Stack(Settings(ports, Path(folder), model_store))
        try:
            stack.start("torchserve")
            yield stack
        finally:
            stack.stop("torchserve")
