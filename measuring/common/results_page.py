"""What the pages of results share: where and when, medians with their spread, tables, and the two files of a page."""

import datetime
import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.local.settings import ROOT
from inkserve.files import atomic_write
from training.provenance import commit, processor

RESULTS = ROOT / "docs" / "results"
Row = Mapping[str, Any]


class Spread(dict[str, float]):
    """Median, least and largest of some values; a format such as `:.1f` writes all three: 2.0 (1.0 to 3.0)."""

    def __init__(self, values: Iterable[float]) -> None:
        every = list(values)
        super().__init__(median=statistics.median(every), least=min(every), largest=max(every))

    def __format__(self, form: str) -> str:
        return f"{self['median']:{form}} ({self['least']:{form}} to {self['largest']:{form}})"


def spreads(rows: Sequence[Row], *keys: str) -> dict[str, Spread]:
    """Return the spread of some keys over rows."""
    return {key: Spread(row[key] for row in rows) for key in keys}


def ratios(rows: Iterable[Row], others: Iterable[Row], key: str) -> list[float]:
    """Return the ratios of rows to others of the same round; a round that one of them lacks has none."""
    by_round = {row["round"]: row[key] for row in others}
    return [row[key] / by_round[row["round"]] for row in rows if row["round"] in by_round]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table in Markdown; a | within a cell is dropped."""
    body = [f"| {' | '.join(cell.replace('|', ' ') for cell in row)} |" for row in rows]
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *body]


def table_of(columns: Mapping[str, str], rows: Iterable[Row]) -> list[str]:
    """Return a table in Markdown; each column has the format of its cells, such as "{seconds:.1f}"."""
    return table(list(columns), ([cell.format(**row) for cell in columns.values()] for row in rows))


def when_and_where() -> list[str]:
    """Return lines on time, commit and machine."""
    now = datetime.datetime.now(datetime.UTC)
    return [
        f"{now:%Y-%m-%d %H:%M} UTC, commit {commit()}",
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}; "
        "other work on the machine changes times, and nothing else",
    ]


def provenance(command: str) -> dict[str, object]:
    """Return what the JSON file of a page says first: command, commit and processor."""
    return {"command": command, "commit": commit(), "processor": processor()}


def write_json(path: Path, results: Mapping[str, Any]) -> None:
    """Write the JSON file of a page."""
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(results, indent=1) + "\n")


def write_page(path: Path, lines: Iterable[str]) -> str:
    """Write a page in Markdown, and return it."""
    text = "\n".join(lines).rstrip("\n") + "\n"
    with atomic_write(path) as partial:
        partial.write_text(text)
    return text


def write_results(path: Path, results: Mapping[str, Any], lines: Iterable[str]) -> str:
    """Write a page and, beside it, its JSON file; `path` has no suffix. Return the page."""
    write_json(path.with_suffix(".json"), results)
    return write_page(path.with_suffix(".md"), lines)
