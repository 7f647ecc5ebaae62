"""What the pages of results share: where and when, medians with their spread, tables, and the two files of a page."""

import datetime
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.local.settings import ROOT
from inkserve.files import atomic_write
from training.provenance import commit, processor

RESULTS = ROOT / "docs" / "results"
Spread = Mapping[str, float]  # median, least, largest


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, least and largest."""
    return {"median": statistics.median(values), "least": min(values), "largest": max(values)}


def spread_text(values: Spread, form: Callable[[float], str]) -> str:
    """Write a median with its spread."""
    return f"{form(values['median'])} ({form(values['least'])} to {form(values['largest'])})"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table in Markdown; a | within a cell is dropped."""
    body = [f"| {' | '.join(cell.replace('|', ' ') for cell in row)} |" for row in rows]
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *body]


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
