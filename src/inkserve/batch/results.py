"""Results on disk, as CSV, JSON or Parquet: each is there as soon as it is known, whatever happens next."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from inkserve.client import PageReading, RecogniserError
from inkserve.client.answers import Document, OfPage, Result

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
    "page",
    "text",
)
NUMBERS = ("confidence", "top2_probability", "top3_probability")
PARQUET = ".parquet"
GROUP_ROWS = 10_000  # of a Parquet file that are kept in memory
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes a cell that starts like this for a formula
TIMES = ("round_trip_ms", "stages_ms")
Write = Callable[[str, Result], None]


@contextmanager
def open_results(out: Path, for_excel: bool = False) -> Iterator[Write]:
    """Write results to `<out>.partial`, which becomes `out` when all are written, and stays if something stops that.

    Args:
        out: path with one of the suffixes in FORMATS.
        for_excel: whether a table begins with a byte order mark, without which Excel takes UTF-8 for another encoding.

    Yields:
        a function that writes the name of a picture and its result; when it returns, they are in the file (of a
        Parquet file: in memory).

    Raises:
        OSError: the file cannot be written.
    """
    partial = partial_of(out)
    kind = out.suffix.lower()
    with ExitStack() as stack:
        if kind == PARQUET:
            yield stack.enter_context(parquet_rows(partial))
        else:
            encoding = "utf-8-sig" if for_excel and kind == ".csv" else "utf-8"
            # Names that are no UTF-8, which file systems allow, are written with escapes
            file = stack.enter_context(partial.open("w", encoding=encoding, errors="backslashreplace", newline=""))
            write_one = stack.enter_context(TEXT_FORMATS[kind](file))

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
    yield lambda name, result: rows.writerows(table_rows(name, result))


@contextmanager
def json_list(file: TextIO) -> Iterator[Write]:
    """Write a JSON list, one object a line; it is closed even when something stops it early."""
    before = "[\n"

    def write(name: str, result: Result) -> None:
        nonlocal before
        for each in json_objects(name, result):
            file.write(before + json.dumps(each, ensure_ascii=False))
            before = ",\n"

    try:
        yield write
    finally:
        file.write("\n]\n" if before == ",\n" else "[]\n")


@contextmanager
def parquet_rows(path: Path) -> Iterator[Write]:
    """Write the table of `csv_rows` as a Parquet file, with numbers as numbers; it is whole even when stopped early.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
    """
    import pyarrow as pa  # noqa: PLC0415 - only Parquet files need it
    import pyarrow.parquet as pq  # noqa: PLC0415

    kinds = {column: pa.float64() if column in NUMBERS else pa.string() for column in COLUMNS} | {"page": pa.int32()}
    schema = pa.schema(list(kinds.items()))
    rows: list[dict[str, str | float]] = []

    def write(name: str, result: Result) -> None:
        rows.extend(table_rows(name, result))
        if len(rows) >= GROUP_ROWS:
            flush()

    def flush() -> None:
        file.write_table(pa.Table.from_pylist(rows, schema))
        rows.clear()

    with pq.ParquetWriter(path, schema) as file:
        try:
            yield write
        finally:
            flush()


TEXT_FORMATS = {".csv": csv_rows, ".json": json_list}
FORMATS = (*TEXT_FORMATS, PARQUET)


def table_rows(name: str, result: Result) -> list[dict[str, str | float]]:
    """Return the rows of a table for a file: one, or one for each of its pages."""
    if isinstance(result, Document):
        return [table_row(name, each) | {"page": i} for i, each in enumerate(result.pages, start=1)]
    return [table_row(name, result)]


def json_objects(name: str, result: Result) -> list[dict[str, object]]:
    """Return the objects of a list for a file: one, or one for each of its pages."""
    if isinstance(result, Document):
        pages = enumerate(result.pages, start=1)
        return [{"name": name, "page": i, **json_object(name, each)} for i, each in pages]
    return [json_object(name, result)]


def table_row(name: str, result: OfPage) -> dict[str, str | float]:
    """Return a row of the table; a name that a spreadsheet would run gets ./ in front, and so stays a path."""
    named: dict[str, str | float] = {"name": f"./{name}" if name.startswith(FORMULA) else name}
    if isinstance(result, RecogniserError):
        return named | {"error_type": plain(result.type), "error_message": plain(result.message)}
    noted = named | {"notes": plain("; ".join(result.notes))}
    if isinstance(result, PageReading):
        return noted | {"text": plain(result.text)}
    row = noted | {"label": plain(result.label), "confidence": result.confidence}
    for rank, candidate in enumerate(result.top[1:3], start=2):
        row |= {f"top{rank}": plain(candidate.label), f"top{rank}_probability": candidate.probability}
    return row


def plain(text: str) -> str:
    """Put an apostrophe, which means text in spreadsheets, before what they would run."""
    return f"'{text}" if text.startswith(FORMULA) else text


def json_object(name: str, result: OfPage) -> dict[str, object]:
    """Return the object of a list: an error, or an answer without TIMES, which differ from run to run."""
    if isinstance(result, RecogniserError):
        return {"name": name, "error": {"type": result.type, "message": result.message}}
    fields = {key: value for key, value in asdict(result).items() if key not in TIMES}
    if not fields.get("notes", True):
        del fields["notes"]  # as in the server's answers
    return {"name": name, **fields}
