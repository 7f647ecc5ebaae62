"""A temporary TorchServe with chosen archives, and how many batches it has made."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from deploy.checksums import copy_archive
from deploy.local.settings import DEFAULT_PORTS, ROOT, Settings, StackError, free_ports
from deploy.local.stack import Stack

BATCH_REQUESTS = "handwriting_batch_requests"  # a histogram of the workers


class BatchCounts(NamedTuple):
    """Requests and batches that workers have counted."""

    requests: int
    batches: int

    def since(self, before: "BatchCounts") -> "BatchCounts":
        """Return what was counted since."""
        return BatchCounts(self.requests - before.requests, self.batches - before.batches)


@contextmanager
def serving(*archives: Path) -> Iterator[str]:
    """Start TorchServe on free ports with these archives alone, yield its inference address, and stop it.

    Raises:
        StackError: it does not start.
    """
    with running_stack(*archives) as stack:
        yield stack.settings.url("INFERENCE_PORT")


@contextmanager
def running_stack(*archives: Path, **settings: Any) -> Iterator[Stack]:  # noqa: ANN401 - fields of Settings
    """Start TorchServe in the same way, with further settings, and yield the stack.

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
        stack = Stack(Settings(ports, Path(folder), model_store, **settings))
        try:
            stack.start("torchserve")
            yield stack
        finally:
            stack.stop("torchserve")


def predictions_url(stack: Stack, model: str) -> str:
    """Return the address of a recogniser."""
    return f"{stack.settings.url('INFERENCE_PORT')}/predictions/{model}"


def process_of(stack: Stack, name: str = "torchserve") -> psutil.Process:
    """Return the first process of a part of the stack; TorchServe's is the Java front end.

    Raises:
        StackError: it has ended.
    """
    process = stack.record.find(name)
    if process is None:
        raise StackError(f"{name} has ended")
    return process


def count_batches(stack: Stack) -> BatchCounts:
    """Return how many requests and batches the workers have counted so far."""
    families = MultiProcessCollector(CollectorRegistry(), str(stack.settings.metrics)).collect()
    samples = [each for family in families for each in family.samples]
    requests, batches = (
        int(sum(each.value for each in samples if each.name == f"{BATCH_REQUESTS}_{kind}")) for kind in ("sum", "count")
    )
    return BatchCounts(requests, batches)
