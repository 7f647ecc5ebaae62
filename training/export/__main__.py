"""Export recognisers to other formats: `python -m training.export digits`.

Writes runs/exports/<model>-<version>/ and compares every file with torch on 2,000 test frames, or on our own drawings
where the data is not there. A format whose packages are not installed is reported as absent. Exit code 1 if an export
does not say what torch says, or if one that was asked for by name is absent.
"""

import argparse
import sys
from pathlib import Path

import torch

from handwriting.checkpoint import CheckpointError
from training.export.errors import AbsentError, ExportError
from training.export.formats import FORMATS
from training.export.frames import check_frames
from training.export.source import Source, find_weights, load_source
from training.export.store import write_export
from training.idx import DataError


def export(source: Source, options: argparse.Namespace) -> list[str]:
    """Export a recogniser to the formats asked for, say how each went, and return what failed."""
    failures: list[str] = []
    frames = check_frames(source.normal_form)
    for form in (FORMATS[name] for name in options.formats or FORMATS):
        name = f"{source.name}, {form.title}"
        try:
            parity = write_export(source, form, options.exports, frames)
        except AbsentError as err:
            print(f"{name}: absent: {err}", flush=True)
            failures += [f"{name}: absent: {err}"] if options.formats else []
        except ExportError as err:
            print(f"{name}: FAILED: {err}", flush=True)
            failures.append(f"{name}: {err}")
        else:
            path = options.exports / source.name / form.file
            print(f"{name}: wrote {path}, {path.stat().st_size:,} bytes; {parity.describe()}", flush=True)
    return failures


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="recognisers to export (default: all with weights)")
    parser.add_argument(
        "--format", dest="formats", action="append", choices=list(FORMATS), help="repeatable (default: all there are)"
    )
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the weights")
    parser.add_argument("--exports", type=Path, default=Path("runs/exports"), help="folder for the exports")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch (default: 1)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Export from the command line; 1 if something cannot be exported."""
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    failures: list[str] = []
    try:
        for weights in find_weights(options.weights, options.models):
            failures += export(load_source(weights), options)
    except (ExportError, CheckpointError, DataError) as err:
        failures.append(str(err))
    for failure in failures:
        print(f"export: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
