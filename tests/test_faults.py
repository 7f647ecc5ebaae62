"""Faults with a real server under load; `make torture` tries the same for longer."""

from collections.abc import Iterator

import pytest

from deploy.local.stack import Stack
from measuring.reliability.faults import FAULTS, faulty_stack

SECONDS = 2  # of load


@pytest.fixture(scope="module")
def faulty() -> Iterator[Stack]:
    with faulty_stack() as stack:
        yield stack


@pytest.mark.server
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_loses_nothing_and_passes(faulty, name):
    rows = FAULTS[name](faulty, SECONDS)
    if not rows:
        pytest.skip("what it takes is not installed: `python -m deploy.packages chromium --wish faketime`")
    missed = [f"{row.what}: {row.found}; wanted {row.wanted}" for row in rows if not row.reached and not row.is_timed]
    assert not missed
