"""The page of results, docs/results/reliability.md, and its record, reliability.json.

A part that does not run keeps what it found before.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from measuring.common.criteria import Criterion, criteria_table
from measuring.common.results_page import table, write_json, write_page

RECORD = "reliability.json"
PAGE = "reliability.md"


@dataclass(frozen=True)
class StatusCount:
    """Number of answers with a status (0: closed without an answer) and an error type ("" for none)."""

    status: int
    type: str
    answers: int


@dataclass(frozen=True)
class Findings:
    """What one part found.

    Attributes:
        criteria: that the server has to meet.
        statuses: number of answers by status, most frequent first.
        notes: further lines.
        facts: lines on time, commit and machine.
    """

    criteria: Sequence[Criterion]
    statuses: Sequence[StatusCount] = ()
    notes: Sequence[str] = ()
    facts: Sequence[str] = ()


def record(folder: Path, heading: str, findings: Findings) -> None:
    """Put a part on record in place of what it found before."""
    parts = {**read(folder), heading: findings}
    write_json(folder / RECORD, {name: asdict(each) for name, each in parts.items()})


def read(folder: Path) -> Mapping[str, Findings]:
    """Return the parts on record, by heading."""
    path = folder / RECORD
    return {name: _findings(each) for name, each in json.loads(path.read_text()).items()} if path.exists() else {}


def _findings(found: Mapping[str, Any]) -> Findings:
    criteria = [Criterion(**each) for each in found["criteria"]]
    return Findings(criteria, [StatusCount(**each) for each in found["statuses"]], found["notes"], found["facts"])


def write(folder: Path) -> str:
    """Write the page of all parts on record, and return it."""
    lines = ["# Reliability", "", "`make torture` writes this page. Each part says when it was measured."]
    for heading, findings in read(folder).items():
        lines += ["", *part_lines(heading, findings)]
    return write_page(folder / PAGE, lines)


def part_lines(heading: str, findings: Findings) -> Sequence[str]:
    """Return a part of the page."""
    lines = [f"## {heading}", "", *(f"- {line}" for line in [*findings.facts, *findings.notes])]
    lines += ["", *criteria_table(findings.criteria)]
    if findings.statuses:
        rows = [(str(each.status or "closed"), each.type, f"{each.answers:,}") for each in findings.statuses]
        lines += ["", *table(("status", "type", "answers"), rows)]
    return lines
