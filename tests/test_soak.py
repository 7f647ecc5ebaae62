"""The criteria and the page of `make soak`."""

import json
from dataclasses import asdict

from loadtest.soak import FRONT_END, Sample, Soaked, judge_processes, write_report
from measuring.common.criteria import Criterion

MIB = 1024**2


def samples(*sizes_mib: float, descriptors: int = 0) -> list[Sample]:
    """Samples with these sizes of the front end, and so many additional descriptors in each."""
    found = []
    for number, size in enumerate(sizes_mib):
        memory = {FRONT_END: round(size * MIB), "worker 1": 100 * MIB}
        found.append(Sample(5.0 * number, memory, {FRONT_END: 50 + number * descriptors, "worker 1": 20}))
    return found


def test_constant_memory_meets_all_criteria():
    assert all(each.is_met for each in judge_processes(samples(90, 90, 100, 101, 99, 100, 101, 102)))


def test_memory_that_grows_is_found_with_its_process():
    _, memory, _ = judge_processes(samples(*range(100, 140, 2)))
    assert not memory.is_met
    assert FRONT_END in memory.found


def test_memory_that_is_taken_once_at_the_start_is_no_growth():
    _, memory, _ = judge_processes(samples(*[50] * 5, *[100] * 15))
    assert memory.is_met


def test_descriptors_that_stay_open_are_found():
    *_, descriptors = judge_processes(samples(*[100] * 20, descriptors=2))
    assert not descriptors.is_met


def test_a_process_that_ended_is_found():
    found = samples(*[100] * 8)
    last = Sample(found[-1].time_s, {FRONT_END: 100 * MIB}, {FRONT_END: 50})
    ended, *_ = judge_processes([*found[:-1], last])
    assert (ended.is_met, ended.found) == (False, "1")


def test_too_few_samples_are_not_enough():
    assert not judge_processes(samples(100, 100, 100))[0].is_met


def test_the_page_shows_criteria_and_the_chart_and_its_record_can_be_read(tmp_path):
    soaked = Soaked(
        ["on Monday"], ["a note"], [Criterion("failures", "0", "1 of 9 requests", False)], samples(100, 110)
    )
    page = write_report(tmp_path, soaked)
    for line in ("- on Monday", "- a note", "| failures | 0 | 1 of 9 requests | **no** |"):
        assert line in page.splitlines()
    assert "](soak.png)" in page
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "soak.json").read_text()) == asdict(soaked)
