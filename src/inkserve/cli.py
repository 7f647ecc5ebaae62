"""The command `inkserve`: reads pictures, folders and ZIP files, and shows the state of a server."""

import importlib.metadata
import json
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, cast

import typer

from inkserve.batch.results import COLUMNS, FORMATS, PARQUET, json_objects, open_results, partial_of
from inkserve.batch.sources import Source, SourceError, open_source
from inkserve.batch.summary import Summary, printable
from inkserve.client import Prediction, Recogniser, RecogniserError, ServerDown
from inkserve.client.address import DEFAULT_URL, MANAGEMENT_DEFAULT_URL, MANAGEMENT_VARIABLE, VARIABLE
from inkserve.client.answers import Document, Result
from inkserve.client.pictures import MAX_BYTES
from inkserve.client.recogniser import TOP_K
from inkserve.command import INTERRUPTED, CommandError, run
from inkserve.status import read_status

NAME = "inkserve"
WRONG_USE = 2  # exit code of a wrong command line
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__bases__[0])  # typer does not export it

app = typer.Typer(
    name=NAME,
    help="Reads handwriting with an Inkserve server. A server with tokens: set INKSERVE_TOKEN, or INKSERVE_KEY_FILE.",
    add_completion=False,
    rich_markup_mode=None,
)

Model = Annotated[str, typer.Option(help="Name of the recogniser.")]
Version = Annotated[str, typer.Option(help="MAJOR.MINOR of the recogniser; without it the server's default version.")]
Url = Annotated[str, typer.Option(help=f"Address of the server; without it {VARIABLE}, or else {DEFAULT_URL}.")]
TopK = Annotated[int, typer.Option(min=1, help="Labels listed for each picture.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context, show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Print the version, or the help where no command is named."""
    if show_version:
        print(f"{NAME} {importlib.metadata.version(NAME)}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def read(  # noqa: PLR0913 - each parameter is an option
    pictures: Annotated[list[Path], typer.Argument(help="Files: PNG, JPEG, HEIC, TIFF, PDF and more.")],
    *,
    model: Model = "digits",
    version: Version = "",
    url: Url = "",
    top_k: TopK = TOP_K,
    as_json: Json = False,
) -> int:
    """Read pictures, and print the label of each, or the text of a page.

    Ends with 0 when every picture was read, and with 1 otherwise.
    """
    failed = 0
    with Recogniser(model, url, version, top_k=top_k) as recogniser:
        for picture in pictures:
            result: Result
            try:
                pages = recogniser.read_pages(picture)
                result = pages[0] if len(pages) == 1 else Document(pages)
            except ServerDown as err:
                raise CommandError(f"{model} at {recogniser.url}: {err}") from err
            except RecogniserError as err:
                result = err
                failed += 1
            if as_json:
                for each in json_objects(str(picture), result):
                    print(json.dumps(each, ensure_ascii=False), flush=True)
            else:
                _show(picture, result, is_one=len(pictures) == 1)
    return 1 if failed else 0


@app.command()
def batch(  # noqa: PLR0913
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|ZIP",
            help="Its pictures are read in the order of their names, those in folders inside it, too: files that begin "
            f"like a picture or PDF, of at most {MAX_BYTES // 2**20} MiB each. All other files are listed at the end. "
            "A ZIP file is not unpacked to disk.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help=f"Where the results go: a .json file has a list with all labels, a .csv or .parquet file a table of "
            f"{', '.join(COLUMNS)}. A page of several is a row of its own. Until the end, the results are in "
            "OUT.partial. Parquet needs pyarrow."
        ),
    ],
    *,
    model: Model = "digits",
    version: Version = "",
    url: Url = "",
    top_k: TopK = TOP_K,
    for_excel: Annotated[
        bool, typer.Option("--excel", help="Begin a .csv file with a byte order mark, so that Excel reads umlauts.")
    ] = False,
) -> int:
    """Read all pictures of a folder or ZIP file into a CSV, JSON or Parquet file.

    Ends with 0 when every picture was read, 1 when some were not or the server is down, 2 when the command itself is
    wrong, and 130 after Ctrl-C.
    """
    if out.suffix.lower() not in FORMATS:
        raise typer.BadParameter(f"{out}: wanted a name that ends in {' or '.join(FORMATS)}", param_hint="--out")
    if out.suffix.lower() == PARQUET and find_spec("pyarrow") is None:
        raise CommandError(f"{out}: a Parquet file needs pyarrow: pip install 'inkserve[parquet]'")
    if out.is_dir() or not out.parent.is_dir():
        raise typer.BadParameter(f"{out}: wanted a file in a folder that exists", param_hint="--out")
    try:
        with open_source(source) as opened, Recogniser(model, url, version, top_k=top_k) as recogniser:
            return _read_all(opened, recogniser, out, for_excel)
    except SourceError as err:
        raise typer.BadParameter(str(err), param_hint="FOLDER|ZIP") from err
    except OSError as err:
        raise CommandError(str(err)) from err


@app.command()
def status(
    url: Url = "",
    management_url: Annotated[
        str,
        typer.Option(
            help=f"Address of the management API; without it {MANAGEMENT_VARIABLE}, or else {MANAGEMENT_DEFAULT_URL}."
        ),
    ] = "",
    as_json: Json = False,
) -> int:
    """Show whether the server is up, and its recognisers: versions, workers, and requests that wait.

    Each version reads one picture. Ends with 0 when all are ready, and with 1 otherwise.
    """
    found = read_status(url, management_url)
    if as_json:
        print(json.dumps(found.document(), indent=2))
    else:
        _print(found.lines())
    return 0 if found.is_ready else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default the process's own, and return the exit code."""
    return run(NAME, lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return int(typer.main.get_command(app).main(arguments, NAME, standalone_mode=False) or 0)
    except UsageError as err:
        context = getattr(err, "ctx", None)
        name = context.command_path if context else NAME
        print(f"{name}: {printable(err.format_message())}", file=sys.stderr)
        return WRONG_USE


def _show(picture: Path, result: Result, is_one: bool) -> None:
    name = printable(str(picture))
    if isinstance(result, Document):
        for number, page in enumerate(result.pages, start=1):
            _show(Path(f"{picture}, page {number}"), page, is_one=False)
        return
    if isinstance(result, RecogniserError):
        reason = printable(str(result))
        print(f"{NAME}: {reason if name in reason else f'{name}: {reason}'}", file=sys.stderr)
    elif isinstance(result, Prediction):
        others = "".join(f", {each.label} {each.probability:.1%}" for each in result.top[1:])
        _print([f"{name}: {result.label} ({result.confidence:.1%}{others})", *(f"  {each}" for each in result.notes)])
    else:
        _print([*([] if is_one else [f"{name}:"]), *result.text.split("\n")])


def _read_all(source: Source, recogniser: Recogniser, out: Path, for_excel: bool) -> int:
    """Read pictures, write each result to `out`, print the summary, and return the exit code."""
    if fault := recogniser.fault():
        raise CommandError(f"{recogniser.model} at {recogniser.url}: {printable(fault)}")
    summary = Summary()
    try:
        with open_results(out, for_excel) as write:
            results = recogniser.predict_many([entry.picture for entry in source.entries], progress=True)
            for entry, result in zip(source.entries, results, strict=True):
                write(entry.name, result)
                summary.add(entry.name, result)
    except KeyboardInterrupt:
        done = f"{summary.asked:,} of {len(source.entries):,} pictures"
        print(f"{NAME}: stopped after {done}; their results are in {printable(str(partial_of(out)))}", file=sys.stderr)
        return INTERRUPTED
    _print(summary.lines())
    if source.excluded:
        print(f"\nof {len(source.entries) + len(source.excluded):,} files, {len(source.excluded):,} were left out:")
        _print(f"  {each.name}: {each.reason}" for each in source.excluded)
    print(f"\nresults in {printable(str(out))}")
    return 1 if summary.failed else 0


def _print(lines: Iterable[str]) -> None:
    print("\n".join(printable(line) for line in lines), flush=True)
