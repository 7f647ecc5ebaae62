"""Results on disk, as CSV or JSON: each is there as soon as it is known, whatever happens next."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from inkserve.client import PageReading, Prediction, RecogniserError
from inkserve.client.answers import Result

COLUMNS = (
    "name",
    "label",
    "confidence",
    "top2",
    "top2_probability",
    "top3",
    "top3_probability",
    "error_type",
    "error_message",
    "notes",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes a cell that starts like this for a formula
TIMES = ("round_trip_ms", "stages_ms")
Write = Callable[[str, Result], None]


@contextmanager
def open_results(out: Path) -> Iterator[Write]:
    """Write results to `<out>.partial`, which becomes `out` when all are written, and stays if something stops that.

    Args:
        out: path with one of the suffixes in FORMATS.

    Yields:
        a function that writes the name of a picture and its result; when it returns, they are in the file.

    Raises:
        OSError: the file cannot be written.
    """
    partial = partial_of(out)
    with (
        # Names that are no UTF-8, which file systems allow, are written with escapes
        partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        FORMATS[out.suffix.lower()](file) as write_one,
    ):

        def write(name: str, result: Result) -> None:
            write_one(name, result)
            file.flush()

        yield write
    partial.replace(out)


def partial_of(out: Path) -> Path:
    """Return the path of incomplete results."""
    return out.with_name(f"{out.name}.partial")


@contextmanager
def csv_rows(file: TextIO) -> Iterator[Write]:
    """Write a table with COLUMNS, one row a picture, quoted as RFC 4180 wants, whose lines end in CR and LF."""
    rows = csv.DictWriter(file, COLUMNS)
    rows.writeheader()
    yield lambda name, result: rows.writerow(table_row(name, result))


@contextmanager
def json_list(file: TextIO) -> Iterator[Write]:
    """Write a JSON list, one object a line; it is closed even when something stops it early."""
    before = "[\n"

    def write(name: str, result: Result) -> None:
        nonlocal before
        file.write(before + json.dumps(json_object(name, result), ensure_ascii=False))
        before = ",\n"

    try:
        yield write
    finally:
        file.write("\n]\n" if before == ",\n" else "[]\n")


FORMATS = {".csv": csv_rows, ".json": json_list}


def table_row(name: str, result: Result) -> dict[str, str | float]:
    """Return a row of the table; a name that a spreadsheet would run gets ./ in front, and so stays a path."""
    named: dict[str, str | float] = {"name": f"./{name}" if name.startswith(FORMULA) else name}
    if not isinstance(result, Prediction):
        return named | {"error_type": plain(result.type), "error_message": plain(result.message)}
    row = named | {
        "label": plain(result.label),
        "confidence": result.confidence,
        "notes": plain("; ".join(result.notes)),
    }
    for rank, candidate in enumerate(result.top[1:3], start=2):
        row |= {f"top{rank}": plain(candidate.label), f"top{rank}_probability": candidate.probability}
    return row


def plain(text: str) -> str:
    """Put an apostrophe, which means text in spreadsheets, before what they would run."""
    return f"'{text}" if text.startswith(FORMULA) else text


def json_object(name: str, result: Result | PageReading) -> dict[str, object]:
    """Return the object of a list: an error, or an answer without TIMES, which differ from run to run."""
    if isinstance(result, RecogniserError):
        return {"name": name, "error": {"type": result.type, "message": result.message}}
    fields = {key: value for key, value in asdict(result).items() if key not in TIMES}
    if not fields.get("notes", True):
        del fields["notes"]  # as in the server's answers
    return {"name": name, **fields}
