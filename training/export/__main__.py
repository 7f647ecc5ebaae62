"""Export recognisers to other formats: `python -m training.export digits`.

Writes runs/exports/<model>-<version>/ and compares every file with torch on 2,000 test frames, or on the drawings in
examples/digits where the data is missing. A format whose packages are not installed is reported as absent. Exit code 1
if the output of an export differs from that of torch, or if a format that --format names is absent.
"""

import argparse
import sys
from pathlib import Path

import torch

from inkserve.command import CommandError, run
from training.export.formats import FORMATS
from training.export.source import AbsentError, ExportError, Source, find_weights, load_source
from training.export.store import characters_to_check, write_export


def export(source: Source, options: argparse.Namespace) -> list[str]:
    """Export a recogniser to the formats asked for, print the result of each, and return the failures."""
    failures: list[str] = []
    characters, title = characters_to_check(source.normal_form)
    for form in (FORMATS[name] for name in options.formats or FORMATS):
        name = f"{source.name}, {form.title}"
        try:
            parity = write_export(source, form, options.exports, characters, title)
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
        "--format", dest="formats", action="append", choices=list(FORMATS), help="repeatable (default: all installed)"
    )
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the weights")
    parser.add_argument("--exports", type=Path, default=Path("runs/exports"), help="folder for the exports")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch (default: 1)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Export from the command line.

    Raises:
        CommandError: something cannot be exported; the other exports are written all the same.
    """
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    failures: list[str] = []
    for weights in find_weights(options.weights, options.models):
        failures += export(load_source(weights), options)
    if failures:
        raise CommandError("\nexport: ".join(failures))


if __name__ == "__main__":
    sys.exit(run("export", main))
