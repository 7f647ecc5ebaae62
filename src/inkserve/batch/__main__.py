"""Read all pictures of a folder or ZIP file: `python -m inkserve.batch scans --out results.csv`.

Ends with 0 when every picture was read, 1 when some were not or the server is down, 2 when the command itself is wrong,
and 130 when it was stopped with Ctrl-C.

For a server that wants tokens, INKSERVE_KEY_FILE names its key file, or INKSERVE_TOKEN is the token.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from handwriting.preprocess import MAX_BYTES
from inkserve.batch.results import COLUMNS, FORMATS, open_results, partial_of
from inkserve.batch.sources import SUFFIXES, Source, SourceError, open_source
from inkserve.batch.summary import Summary, printable
from inkserve.client import Recogniser
from inkserve.client.address import DEFAULT_URL, VARIABLE
from inkserve.client.recogniser import CHUNK, TOP_K

STOPPED = 130  # as shells report a command ended by Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the pictures that the command line names, and return the exit status."""
    parser = command_line()
    options = parser.parse_args(arguments)
    if options.out.suffix.lower() not in FORMATS:
        parser.error(f"--out {options.out}: wanted a name that ends in {' or '.join(FORMATS)}")
    if options.out.is_dir() or not options.out.parent.is_dir():
        parser.error(f"--out {options.out}: wanted a file in a folder that exists")
    try:
        with (
            open_source(options.source) as source,
            Recogniser(options.model, options.url, options.version, top_k=options.top_k) as recogniser,
        ):
            return read_all(source, recogniser, options.out, options.chunk)
    except SourceError as err:
        parser.error(str(err))
    except OSError as err:
        return complain(str(err))


def read_all(source: Source, recogniser: Recogniser, out: Path, chunk: int) -> int:
    """Read pictures, write each result to `out`, print the summary, and return the exit status."""
    if fault := recogniser.fault():
        return complain(f"{recogniser.model} cannot be asked at {recogniser.url}: {fault}")
    summary = Summary()
    try:
        with open_results(out) as write:
            results = recogniser.predict_many([entry.picture for entry in source.entries], chunk)
            for entry, result in zip(source.entries, results, strict=True):
                write(entry.name, result)
                summary.add(entry.name, result)
    except KeyboardInterrupt:
        complain(f"stopped after {summary.asked:,} of {len(source.entries):,} pictures, kept in {partial_of(out)}")
        return STOPPED
    print("\n".join(summary.lines()))
    if source.others:
        print(f"\n{source.others:,} files left out, which end in none of {', '.join(SUFFIXES)}")
    print(f"\nresults in {out}")
    return 1 if summary.failed else 0


def complain(message: str) -> int:
    """Say in one line why there is no result, and return the status for it."""
    print(f"batch: {printable(message)}", file=sys.stderr)
    return 1


def command_line() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m inkserve.batch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source",
        metavar="FOLDER_OR_ZIP",
        type=Path,
        help="its pictures are read in the order of their names, with those of folders inside it: files that end in "
        f"{', '.join(SUFFIXES)}, of at most {MAX_BYTES // 2**20} MiB each; a ZIP file is not unpacked to disk",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="where the results go: .json for a list with all labels asked for, .csv for a table of "
        f"{', '.join(COLUMNS)}; until all are there, they are in OUT.partial",
    )
    parser.add_argument("--model", default="digits", help="recogniser (default: %(default)s)")
    parser.add_argument("--version", help="MAJOR.MINOR of the recogniser (default: the server's default version)")
    parser.add_argument("--url", help=f"address of the server (default: {VARIABLE}, or else {DEFAULT_URL})")
    parser.add_argument(
        "--top-k", type=count, default=TOP_K, help="labels a picture; a table has room for 3 (default: %(default)s)"
    )
    parser.add_argument("--chunk", type=count, default=CHUNK, help="pictures taken up at a time (default: %(default)s)")
    return parser


def count(text: str) -> int:
    """Read a whole number from 1 up."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few; wanted at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
