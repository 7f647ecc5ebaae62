"""Criteria that a server has to meet in a campaign, and what was found."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from measuring.common.results_page import table


@dataclass(frozen=True)
class Criterion:
    """One criterion.

    Attributes:
        what: is measured.
        wanted: value, with its unit.
        found: value, with its unit.
        is_met: whether what was found is good enough.
        is_timed: whether it depends on the speed of the machine; tests do not fail on it.
    """

    what: str
    wanted: str
    found: str
    is_met: bool
    is_timed: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.found}; wanted {self.wanted}"


def criteria_table(criteria: Iterable[Criterion]) -> Sequence[str]:
    """Return criteria as a table in Markdown."""
    rows = [(each.what, each.wanted, each.found, "yes" if each.is_met else "**no**") for each in criteria]
    return table(("criterion", "wanted", "found", "met"), rows)


def exit_code(command: str, criteria: Iterable[Criterion]) -> int:
    """Print each criterion that is not met on standard error; 1 if there is one."""
    missed = [each for each in criteria if not each.is_met]
    for each in missed:
        print(f"{command}: {each}", file=sys.stderr)
    return 1 if missed else 0
