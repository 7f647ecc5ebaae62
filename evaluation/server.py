"""A TorchServe of one's own with one archive, for as long as a measurement takes."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.settings import DEFAULT_PORTS, ROOT, Settings, free_ports
from deploy.local.stack import Stack


@contextmanager
def serving(archive: Path) -> Iterator[str]:
    """Start TorchServe on free ports with this archive alone, yield its inference address, and stop it.

    Raises:
        StackError: it does not start.
    """
    runs = ROOT / "runs"
    runs.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=runs, prefix="evaluation-") as folder:
        model_store = Path(folder) / "model_store"
        model_store.mkdir()
        shutil.copy(archive, model_store)
        ports = dict(zip(DEFAULT_PORTS, free_ports(len(DEFAULT_PORTS)), strict=True))
        settings = Settings(ports, Path(folder), model_store)
        stack = Stack(settings)
        try:
            stack.start("torchserve")
            yield settings.url("INFERENCE_PORT")
        finally:
            stack.down()
