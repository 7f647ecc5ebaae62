"""A worker returns memory to the system after large requests."""

import ctypes
import gc
import time

import pytest

from handwriting.serving import memory as module
from handwriting.serving.memory import SPARE_BYTES, MemoryTrimmer, resident_bytes

MIB = 2**20
LIMIT_S = 90


@pytest.fixture
def memory(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    # What earlier tests have freed would be used again. Before the trimmer, which compares with what there is now.
    module.release(ctypes.CDLL(None).malloc_trim)
    yield MemoryTrimmer()
    gc.unfreeze()


def scattered() -> list[bytes]:
    """Take 200 MiB in pieces that glibc keeps when they are free."""
    return [bytes(MIB // 16) for _ in range(200 * 16)]


def test_memory_of_large_requests_is_returned_without_another_request(memory):
    before = resident_bytes()
    pieces = scattered()
    last = pieces[-1]  # lies at the heap's end, so that nothing before it goes back by itself
    del pieces
    kept = resident_bytes() - before
    memory.after_batch()
    deadline = time.monotonic() + LIMIT_S
    while resident_bytes() > before + SPARE_BYTES and time.monotonic() < deadline:
        time.sleep(0.02)
    assert last
    assert resident_bytes() - before < SPARE_BYTES < kept


def test_small_requests_leave_memory_as_it_is(memory, monkeypatch):
    given_back = []
    monkeypatch.setattr(module, "release", given_back.append)
    memory.after_batch()
    time.sleep(0.1)
    assert given_back == []


def test_without_glibc_no_memory_is_returned(monkeypatch):
    monkeypatch.setattr(module.ctypes, "CDLL", lambda _: object())
    monkeypatch.setattr(module, "STATM", module.Path("/nothing"))  # nor is there such a file on other systems
    MemoryTrimmer().after_batch()
    gc.unfreeze()
