"""Faults with a real server under load; `make torture` runs the same with more load."""

from collections.abc import Iterator

import pytest

from inkserve import management
from measuring.reliability.faults import FAULTS
from measuring.reliability.faults.faulty_server import FaultyServer, running_faulty_server

SECONDS = 2  # of load
QUICK = ("workers_killed",)
BATCH_S = 10.0  # a busy machine answers the last batch of a version within it; then the version is unloaded


@pytest.fixture(scope="module")
def faulty() -> Iterator[FaultyServer]:
    with running_faulty_server() as server:
        yield server


@pytest.mark.server
@pytest.mark.campaign
@pytest.mark.parametrize("name", [pytest.param(each, marks=[pytest.mark.quick] * (each in QUICK)) for each in FAULTS])
def test_the_server_recovers_from_a_fault_and_loses_no_request(faulty, monkeypatch, name):
    monkeypatch.setattr(management, "BATCH_S", BATCH_S)
    criteria = FAULTS[name](faulty, SECONDS)
    if not criteria:
        pytest.skip("libfaketime is not installed: `python -m deploy.packages --optional faketime`")
    assert not [str(each) for each in criteria if not each.is_met and not each.is_timed]
