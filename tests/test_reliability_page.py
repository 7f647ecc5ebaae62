"""The page of `python -m measuring.reliability`, and how the command ends."""

import sys
from unittest import mock

import pytest

from inkserve.command import run as run_command
from measuring.common.criteria import Criterion
from measuring.reliability import CampaignError
from measuring.reliability import __main__ as reliability
from measuring.reliability.reliability_page import Findings, StatusCount, read, record, write

GOOD = Criterion("good", "1", "1", is_met=True)
BAD = Criterion("bad", "1", "2", is_met=False)


def test_the_page_keeps_the_parts_that_are_not_run_again(tmp_path):
    counted = Findings(
        [GOOD], [StatusCount(400, "InvalidImage", 1234), StatusCount(0, "", 1)], ["a note"], ["on Monday"]
    )
    record(tmp_path, "Bad input", counted)
    record(tmp_path, "Faults", Findings([BAD], facts=["on Tuesday"]))
    record(tmp_path, "Faults", Findings([GOOD], facts=["on Wednesday"]))
    assert read(tmp_path)["Bad input"] == counted
    page = write(tmp_path)
    for line in (
        "- on Monday",
        "- a note",
        "| good | 1 | 1 | yes |",
        "| 400 | InvalidImage | 1,234 |",
        "| closed |  | 1 |",
        "- on Wednesday",
    ):
        assert line in page.splitlines()
    assert "Tuesday" not in page
    assert (tmp_path / "reliability.md").read_text() == page


def run(tmp_path, capsys, **parts) -> tuple[int, str]:
    """The exit code of `python -m measuring.reliability --only faults` with replaced faults, and its standard error."""
    arguments = ["reliability", "--only", "faults", "--out", str(tmp_path)]
    with mock.patch.object(sys, "argv", arguments), mock.patch.object(reliability, "faults", **parts):
        return run_command("reliability", reliability.main), capsys.readouterr().err


def test_a_criterion_that_is_not_met_is_named_and_the_command_fails(tmp_path, capsys):
    code, error = run(tmp_path, capsys, return_value=Findings([GOOD, BAD]))
    assert (code, error) == (1, "reliability: bad: 2; wanted 1\n")
    assert "| bad | 1 | 2 | **no** |" in (tmp_path / "reliability.md").read_text()


@pytest.mark.parametrize(("error", "expected"), [(CampaignError("why"), 1), (KeyboardInterrupt(), 130)])
def test_a_campaign_that_cannot_run_says_why_and_leaves_no_page(tmp_path, capsys, error, expected):
    code, message = run(tmp_path, capsys, side_effect=error)
    assert code == expected
    assert message.startswith(("reliability: why", "\nreliability: interrupted"))
    assert not list(tmp_path.iterdir())


def test_a_campaign_that_meets_all_criteria_ends_with_0(tmp_path, capsys):
    assert run(tmp_path, capsys, return_value=Findings([GOOD])) == (0, "")
