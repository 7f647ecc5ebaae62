"""What a soak is held to, and the page of `make torture`."""

import sys
from unittest import mock

import pytest

from loadtest.soak import FRONT_END, Sample, growth
from measuring.reliability import __main__ as torture
from measuring.reliability.errors import TortureError
from measuring.reliability.outcome import Count, Outcome, Row
from measuring.reliability.report import CHART, Part, keep, read, write

MIB = 1024**2
GOOD = Row("good", "1", "1", reached=True)
BAD = Row("bad", "1", "2", reached=False)


def samples(*sizes_mib: float, descriptors: int = 0) -> list[Sample]:
    """Samples in which the front end's memory takes these sizes, and each has so many descriptors more."""
    found = []
    for number, size in enumerate(sizes_mib):
        memory = {FRONT_END: round(size * MIB), "worker 1": 100 * MIB}
        found.append(Sample(5.0 * number, memory, {FRONT_END: 50 + number * descriptors, "worker 1": 20}))
    return found


def test_memory_that_stays_is_no_growth():
    assert [row.reached for row in growth(samples(90, 90, 100, 101, 99, 100, 101, 102))] == [True, True]


def test_memory_that_grows_is_found_with_its_process():
    memory, _ = growth(samples(*range(100, 140, 2)))
    assert not memory.reached
    assert FRONT_END in memory.found


def test_what_is_taken_once_at_the_start_is_no_growth():
    memory, _ = growth(samples(*[50] * 5, *[100] * 15))
    assert memory.reached


def test_descriptors_that_stay_open_are_found():
    _, descriptors = growth(samples(*[100] * 20, descriptors=2))
    assert not descriptors.reached


def test_too_few_samples_are_no_proof():
    assert not growth(samples(100, 100, 100))[0].reached


def test_the_page_keeps_the_parts_that_are_not_run_again(tmp_path):
    counted = Outcome([GOOD], [Count(400, "InvalidImage", 1234), Count(0, "", 1)], ["a note"])
    keep(tmp_path, "Bad input", Part(["on Monday"], counted, []))
    keep(tmp_path, "Soak", Part(["on Tuesday"], Outcome([BAD], []), samples(100, 110)))
    keep(tmp_path, "Soak", Part(["on Wednesday"], Outcome([GOOD], []), samples(100, 100)))
    assert read(tmp_path)["Bad input"] == Part(["on Monday"], counted, [])
    page = write(tmp_path).read_text()
    for line in (
        "- on Monday",
        "- a note",
        "| good | 1 | 1 | yes |",
        "| 400 | InvalidImage | 1,234 |",
        "| closed |  | 1 |",
    ):
        assert line in page.splitlines()
    assert "Tuesday" not in page
    assert f"]({CHART})" in page
    assert (tmp_path / CHART).read_bytes().startswith(b"\x89PNG")


def run(tmp_path, capsys, **parts) -> tuple[int, str]:
    """The exit code of `python -m measuring.reliability --only faults` whose part does what is said, and its standard error."""
    arguments = ["torture", "--only", "faults", "--out", str(tmp_path)]
    with mock.patch.object(sys, "argv", arguments), mock.patch.object(torture, "faults", **parts):
        return torture.main(), capsys.readouterr().err


def test_a_demand_that_is_not_met_is_named_and_fails(tmp_path, capsys):
    code, told = run(tmp_path, capsys, return_value=Outcome([GOOD, BAD], []))
    assert (code, told) == (1, "torture: bad: 2; wanted 1\n")
    assert "| bad | 1 | 2 | **no** |" in (tmp_path / "reliability.md").read_text()


@pytest.mark.parametrize(("error", "expected"), [(TortureError("why"), 1), (KeyboardInterrupt(), 130)])
def test_what_cannot_be_run_says_why_and_leaves_no_page(tmp_path, capsys, error, expected):
    code, told = run(tmp_path, capsys, side_effect=error)
    assert code == expected
    assert told.startswith(("torture: why", "\ntorture: interrupted"))
    assert not list(tmp_path.iterdir())


def test_demands_that_are_met_end_well(tmp_path, capsys):
    assert run(tmp_path, capsys, return_value=Outcome([GOOD], [])) == (0, "")
