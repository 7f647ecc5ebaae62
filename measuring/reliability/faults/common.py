"""The server that faults are tried on, and what they look at."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import psutil

from deploy.local.settings import ROOT
from deploy.local.stack import Stack
from inkserve.client import Recogniser
from inkserve.management import Management
from measuring.common.drawings import drawings
from measuring.common.temporary_server import running_stack
from measuring.reliability.doctored import WAITING, doctor
from measuring.reliability.load import Load, plainly
from measuring.reliability.outcome import Row

MODEL, SLOW = "digits", "slow"
DIGITS = ROOT / "model_store" / f"{MODEL}-1.0.mar"
RESPONSE_TIMEOUT_S, QUEUE = 3, 4  # of the slow recogniser
REQUEST_TIMEOUT_S = 5  # of the front end's guard, for requests that have not arrived as a whole
ALL_RIGHT = "every prediction right"
WORKER_DIED = {f"status {status} InternalServerException" for status in (500, 507)}  # 507: killed by the system
QUEUE_IS_FULL = "status 503 ServiceUnavailableException"

Fault = Callable[[Stack, float], Sequence[Row]]


@contextmanager
def faulty_stack() -> Iterator[Stack]:
    """Start TorchServe with `digits` and a recogniser that can be slow; versions may be loaded and unloaded.

    Raises:
        StackError: it does not start.
    """
    java = f"{os.environ.get('JDK_JAVA_OPTIONS', '')} -Dinkserve.request.timeout.s={REQUEST_TIMEOUT_S}"
    settings = {"responseTimeout": RESPONSE_TIMEOUT_S, "jobQueueSize": QUEUE, "batchSize": 1}
    with tempfile.TemporaryDirectory() as folder:
        slow = doctor(DIGITS, Path(folder), SLOW, "1.0", WAITING, **settings)
        with (
            mock.patch.dict(os.environ, TS_ENABLE_MODEL_API="true", JDK_JAVA_OPTIONS=java),
            running_stack(DIGITS, slow) as stack,
        ):
            yield stack


def asking(stack: Stack) -> Load:
    """Return a load on `digits` by programs that do not try again."""
    return Load(plainly(predictions(stack, MODEL), drawings()))


def client(stack: Stack) -> Recogniser:
    """Return our client of `digits`."""
    return Recogniser(MODEL, stack.settings.url("INFERENCE_PORT"))


def management(stack: Stack) -> Management:
    """Return what loads and unloads."""
    return Management(stack.settings.url("MANAGEMENT_PORT"))


def worker_pids(stack: Stack) -> set[int]:
    """Return the processes of the workers of `digits` that take requests."""
    fleet = management(stack).versions()
    return {each.pid for version in fleet if version.model == MODEL for each in version.workers if each.is_ready}


def front_end(stack: Stack) -> psutil.Process:
    """Return TorchServe's Java process."""
    return stack.record.find("torchserve")


def told(load: Load) -> str:
    """Return what a load's requests came to."""
    return ", ".join(f"{count:,} {outcome}" for outcome, count in load.outcomes().most_common()) or "no request"


def yes(found: bool) -> str:
    """Return a word."""
    return "yes" if found else "no"


def predictions(stack: Stack, model: str) -> str:
    """Return where a recogniser is asked."""
    return f"{stack.settings.url('INFERENCE_PORT')}/predictions/{model}"
