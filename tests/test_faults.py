"""Faults with a real server under load; `make torture` runs the same with more load."""

from collections.abc import Iterator

import pytest

from deploy.local.stack import Stack
from measuring.reliability.faults import FAULTS, faulty_stack

SECONDS = 2  # of load


@pytest.fixture(scope="module")
def faulty() -> Iterator[Stack]:
    with faulty_stack() as stack:
        yield stack


QUICK = ("workers_killed", "half_a_request")


@pytest.mark.server
@pytest.mark.campaign
@pytest.mark.parametrize("name", [pytest.param(each, marks=[pytest.mark.quick] * (each in QUICK)) for each in FAULTS])
def test_the_server_recovers_from_a_fault_and_loses_no_request(faulty, name):
    criteria = FAULTS[name](faulty, SECONDS)
    if not criteria:
        pytest.skip("libfaketime is not installed: `python -m deploy.packages --optional faketime`")
    assert not [str(each) for each in criteria if not each.is_met and not each.is_timed]
