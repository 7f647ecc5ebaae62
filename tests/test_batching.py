"""How long the real server lets a request wait for others."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import requests

from deploy.local.settings import ROOT, read_settings
from measuring.common.altered_archives import WAITING, alter_archive
from measuring.common.temporary_server import count_batches
from tests.conftest import RunningStack, port_variables

pytestmark = pytest.mark.server

TIMEOUT_S = 120
DELAY_S = 20
TOGETHER = 8


@pytest.fixture(scope="module")
def patient(tmp_path_factory) -> Iterator[RunningStack]:
    """A recogniser with one worker and a batch delay of DELAY_S."""
    folder = tmp_path_factory.mktemp("patient")
    (folder / "store").mkdir()
    settings = {"minWorkers": 1, "maxWorkers": 1, "maxBatchDelay": 1000 * DELAY_S, "batchSize": TOGETHER}
    alter_archive(ROOT / "model_store" / "digits-1.0.mar", folder / "store", "digits", "1.0", WAITING, **settings)
    variables = {"RUN_DIR": str(folder / "stack"), "MODEL_STORE": str(folder / "store")}
    running = RunningStack(read_settings(port_variables() | variables))
    try:
        running.stack.start("torchserve")
        yield running
    finally:
        running.stack.stop("torchserve")


def ask(patient: RunningStack, seven: bytes, wait_s: float = 0) -> requests.Response:
    headers = {"X-Wait-S": str(wait_s)}
    return requests.post(patient.predictions_url, data=seven, headers=headers, timeout=TIMEOUT_S)


def test_a_lone_client_does_not_wait_for_others(patient, seven):
    began = time.monotonic()
    for _ in range(3):
        assert ask(patient, seven).json()["label"] == "7"
    assert time.monotonic() - began < 3 * DELAY_S  # a busy machine may be slow; the delay alone is as long as this


def test_requests_that_come_together_are_answered_together(patient, seven):
    """While the first one is worked on, the others gather. Two go next, and after those the delay brings all others."""
    before = count_batches(patient.stack)
    with ThreadPoolExecutor(TOGETHER + 3) as pool:
        first = pool.submit(ask, patient, seven, 6)
        time.sleep(1)
        answers = list(pool.map(partial(ask, patient), [seven] * (TOGETHER + 2)))
    assert [each.json()["label"] for each in [first.result(), *answers]] == ["7"] * (TOGETHER + 3)
    after = count_batches(patient.stack)
    assert (after.requests - before.requests, after.batches - before.batches) == (TOGETHER + 3, 3)
