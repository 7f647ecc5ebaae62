"""The server that faults are injected into, the load on it, and common criteria."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from deploy.local.settings import ROOT
from deploy.local.stack import Stack
from inkserve.client import Recogniser
from inkserve.management import Management, ModelVersion
from measuring.common.altered_archives import WAITING, alter_archive
from measuring.common.criteria import Criterion
from measuring.common.temporary_server import predictions_url, running_stack
from measuring.reliability.faults.background_load import Ask, BackgroundLoad, without_retries

MODEL, SLOW = "digits", "slow"
DIGITS = ROOT / "model_store" / f"{MODEL}-1.0.mar"
RESPONSE_TIMEOUT_S, QUEUE_SIZE = 3, 4  # of the slow recogniser
REQUEST_TIMEOUT_S = 5  # of the front end's agent, for incomplete requests
CLIENT_TIMEOUT_S = (10.0, 120.0)  # connect, read
TRIES = 9  # of the client, with up to 3 s between them
WORKER_DIED = {f"status {status} InternalServerException" for status in (500, 507)}  # 507: killed by a signal


class FaultyServer:
    """A running stack, and what faults need of it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    @property
    def management(self) -> Management:
        """A new client of the management API; an old one's connection does not survive a fault."""
        return Management(self.stack.settings.url("MANAGEMENT_PORT"))

    def load(self, model: str = MODEL, threads: int = 8, **headers: str) -> BackgroundLoad:
        """Return a load by clients that do not retry."""
        return BackgroundLoad(self.ask_once(model, **headers), threads)

    def ask_once(self, model: str, **headers: str) -> Ask:
        """Return a function that sends one request without retries."""
        return without_retries(predictions_url(self.stack, model), **headers)

    def client(self, model: str = MODEL) -> Recogniser:
        """Return the project's client, which waits and retries longer than by default: a busy machine starts slowly."""
        return Recogniser(model, self.stack.settings.url("INFERENCE_PORT"), timeout_s=CLIENT_TIMEOUT_S, tries=TRIES)

    def versions(self, model: str = MODEL) -> Sequence[ModelVersion]:
        """Return the loaded versions of a recogniser."""
        return [each for each in self.management.versions() if each.model == model]

    def ready_pids(self) -> set[int]:
        """Return the process ids of the workers of `digits` that take requests."""
        return {each.pid for version in self.versions() for each in version.workers if each.is_ready}


Fault = Callable[[FaultyServer, float], Sequence[Criterion]]


@contextmanager
def running_faulty_server() -> Iterator[FaultyServer]:
    """Start TorchServe with `digits` and a recogniser that waits on request; its model API is on.

    Raises:
        StackError: it does not start.
    """
    java = f"{os.environ.get('JDK_JAVA_OPTIONS', '')} -Dinkserve.request.timeout.s={REQUEST_TIMEOUT_S}"
    settings = {"responseTimeout": RESPONSE_TIMEOUT_S, "jobQueueSize": QUEUE_SIZE, "batchSize": 1}
    with tempfile.TemporaryDirectory() as folder:
        slow = alter_archive(DIGITS, Path(folder), SLOW, "1.0", WAITING, **settings)
        with (
            mock.patch.dict(os.environ, TS_ENABLE_MODEL_API="true", JDK_JAVA_OPTIONS=java),
            running_stack(DIGITS, slow) as stack,
        ):
            yield FaultyServer(stack)


def no_failure(what: str, load: BackgroundLoad, and_also: bool = True) -> Criterion:
    """Demand that each request of a load was answered right."""
    return Criterion(what, "every prediction right", str(load), and_also and not load.failed())


def yes_or_no(what: str, is_so: bool, wanted: str = "yes") -> Criterion:
    """Demand that something is so."""
    return Criterion(what, wanted, "yes" if is_so else "no", is_so)
