"""Measure all exports: `python -m training.export.table`.

For every recogniser that has been exported: bytes, accuracy on the complete official test set, latency of one picture
and throughput of 64, next to torch with the checkpoint itself in the same run. Writes docs/results/exports.md and
exports.json. Exit code 1 if a file is damaged or was made from other weights; a format that is not there is listed as
absent.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from handwriting.checkpoint import CheckpointError
from handwriting.preprocess import unit_frames
from training.data import TITLES, Characters, load_characters
from training.export import eager
from training.export.clock import PICTURES, summarise, time_in_turn
from training.export.errors import AbsentError, DamagedError, ExportError
from training.export.formats import FORMATS
from training.export.frames import is_there
from training.export.page import render
from training.export.prune import PRUNED
from training.export.reader import BATCH, Reader
from training.export.size import file_sizes
from training.export.source import Source, find_weights, load_source
from training.export.store import check_pruned, open_export
from training.idx import DataError
from training.options import positive
from training.provenance import command, commit, machine

TORCH = "torch"
PACKAGES = ("torch", "onnx", "onnxruntime", "executorch", "ai-edge-litert")


def measure(source: Source, options: argparse.Namespace) -> dict[str, object]:
    """Measure all formats of a recogniser.

    Raises:
        ExportError: there is no test data, or a file is damaged or stale.
        DataError: the test data is damaged.
    """
    if not is_there(source.normal_form, "test"):
        raise AbsentError(f"no {TITLES[source.normal_form, 'test']} to measure {source.name} on; see `make data`")
    test = load_characters(source.normal_form, "test").take(slice(options.test_limit))
    readers, paths, absent = open_all(source, options.exports)
    rows: list[dict[str, object]] = []
    wanted = predict_labels(readers[TORCH], test, f"{source.name}, torch")
    for name, reader in readers.items():
        found = wanted if name == TORCH else predict_labels(reader, test, f"{source.name}, {name}")
        agreement = float((found == wanted).mean())
        accuracy = float((found == test.labels).mean())
        rows.append({"format": name, **file_sizes(paths[name]), "accuracy": accuracy, "agreement": agreement})
    timings = time_in_turn(readers, unit_frames(test.images[:BATCH]), options.rounds, options.calls, options.batches)
    for row in rows:
        row.update(summarise(timings[row["format"]], timings[TORCH]))
    model = {
        "model": source.network.config.model,
        "version": source.version,
        "test_set": f"{TITLES[source.normal_form, 'test']}{', the first' if options.test_limit else ', complete'}",
        "n": len(test),
        "formats": rows,
        "absent": absent,
    }
    return model | ({"pruned": read_pruned(paths["pruned"])} if "pruned" in paths else {})


def open_all(source: Source, exports: Path) -> tuple[dict[str, Reader], dict[str, Path], dict[str, str]]:
    """Open the checkpoint, every export and the pruned network.

    Returns:
        readers by format, torch first; their files; why others are absent.

    Raises:
        DamagedError: a file is damaged or was made from other weights.
    """
    readers, paths = {TORCH: eager.read_with(source.network)}, {TORCH: source.weights}
    absent: dict[str, str] = {}
    folder = exports / source.name
    for name, form in FORMATS.items():
        if not (folder / form.file).exists():
            absent[name] = (
                f"not exported: {form.why_absent() or f'python -m training.export {source.network.config.model}'}"
            )
            continue
        try:
            readers[name] = open_export(source, form, exports)
            paths[name] = folder / form.file
        except AbsentError as err:
            absent[name] = str(err)
    pruned = folder / PRUNED
    if pruned.exists():
        check_pruned(pruned, source)
        readers["pruned"], paths["pruned"] = eager.open_reader(pruned), pruned
    return readers, paths, absent


def predict_labels(reader: Reader, characters: Characters, title: str) -> np.ndarray:
    """Return the (N,) indices of the most probable labels."""
    parts = range(0, len(characters), BATCH)
    with tqdm(parts, desc=title, unit="batch", disable=None) as progress:
        found = [reader.predict(unit_frames(characters.images[k : k + BATCH])).argmax(axis=1) for k in progress]
    return np.concatenate(found)


def read_pruned(path: Path) -> dict[str, object]:
    """Read what a pruned network's card says of the pruning."""
    card = json.loads(path.with_suffix(".json").read_text())
    names = ("sparsity", "parameters", "nonzero_parameters", "bytes", "bytes_zipped", "unpruned", "metrics", "command")
    return {name: card[name] for name in names}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.export.table",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="recognisers to measure, instead of all")
    parser.add_argument("--rounds", type=positive, default=10, help="turns of each format")
    parser.add_argument("--calls", type=positive, default=100, help="calls with one picture in a turn")
    parser.add_argument("--batches", type=positive, default=10, help=f"calls with {PICTURES} pictures in a turn")
    parser.add_argument("--test-limit", type=positive, help="use only the first so many of the test set")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the weights")
    parser.add_argument("--exports", type=Path, default=Path("runs/exports"), help="folder of the exports")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="folder for the results")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Measure from the command line; 1 if something cannot be measured."""
    options = parse(arguments)
    torch.set_num_threads(1)
    try:
        sources = [load_source(path) for path in find_weights(options.weights, options.models)]
        exported = [source for source in sources if (options.exports / source.name).is_dir()]
        for source in sources:
            if source not in exported:
                print(f"{source.name} is left out: nothing of it is in {options.exports}")
        if not exported:
            raise DamagedError(f"nothing is exported in {options.exports}: run `python -m training.export`")
        models = [measure(source, options) for source in exported]
    except (ExportError, CheckpointError, DataError) as err:
        print(f"table: {err}", file=sys.stderr)
        return 1
    timing = {"rounds": options.rounds, "calls": options.calls, "batches": options.batches, "pictures": PICTURES}
    results = {"command": command(), "commit": commit(), **machine(PACKAGES), **timing, "models": models}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "exports.json").write_text(json.dumps(results, indent=2) + "\n")
    page = options.out / "exports.md"
    page.write_text(render(results))
    print(f"wrote {page} and exports.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
