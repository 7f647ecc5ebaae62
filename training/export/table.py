"""Measure all exports: `python -m training.export.table`.

For every exported recogniser: bytes, accuracy on the complete official test set, latency of one picture and throughput
of 64, next to torch with the checkpoint itself in the same run. Writes docs/results/exports.md and exports.json. A
format that is not there is listed as absent.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm, trange

from handwriting.checkpoint import load_checkpoint
from handwriting.preprocess import unit_frames
from inkserve.command import run
from inkserve.files import atomic_write
from training.card import Card
from training.data import Characters, is_there, load_characters, title_of
from training.export.exports_page import render
from training.export.formats import FORMATS
from training.export.prune import PRUNED
from training.export.source import (
    BATCH,
    AbsentError,
    DamagedError,
    Predictor,
    Source,
    file_size,
    find_weights,
    load_source,
    torch_predictor,
)
from training.export.store import check_pruned, open_export
from training.options import positive
from training.provenance import command, commit, machine

TORCH = "torch"
PACKAGES = ("torch", "onnx", "onnxruntime", "executorch", "ai-edge-litert")
WARM_UP = 10  # calls before the measured ones in each turn: the predictor before used the caches
PICTURES = 64  # at once, for throughput


@dataclass(frozen=True)
class Timings:
    """Measured times of one predictor.

    Attributes:
        single_ms: (rounds, calls) float64, of calls with one frame.
        batch_ms: (rounds, batches) float64, of calls with PICTURES frames.
    """

    single_ms: np.ndarray
    batch_ms: np.ndarray

    @property
    def throughputs(self) -> np.ndarray:
        """(rounds,) float64 pictures per second."""
        return PICTURES * 1000 / self.batch_ms.mean(axis=1)


@dataclass(frozen=True)
class Opened:
    """All that can be measured of a recogniser.

    Attributes:
        predictors: by format, torch first.
        paths: of their files.
        absent: reasons why other formats are absent.
        pruned: card of the pruned network, if there is one.
    """

    predictors: dict[str, Predictor]
    paths: dict[str, Path]
    absent: dict[str, str]
    pruned: Card | None


def measure_exports(source: Source, options: argparse.Namespace) -> dict[str, Any]:
    """Measure all formats of a recogniser.

    Raises:
        ExportError: there is no test data, or a file is damaged or stale.
        DataError: the test data is damaged.
    """
    title = title_of(source.normal_form, "test")
    if not is_there(source.normal_form, "test"):
        raise AbsentError(f"no {title} to measure {source.name} on; see `make data`")
    test = load_characters(source.normal_form, "test").take(slice(options.test_limit))
    opened = open_all(source, options.exports)
    wanted = predict_labels(opened.predictors[TORCH], test, f"{source.name}, torch")
    rows: list[dict[str, Any]] = []
    for name, predictor in opened.predictors.items():
        found = wanted if name == TORCH else predict_labels(predictor, test, f"{source.name}, {name}")
        accuracy, agreement = float((found == test.labels).mean()), float((found == wanted).mean())
        size = asdict(file_size(opened.paths[name]))
        rows.append({"format": name, **size, "accuracy": accuracy, "agreement": agreement})
    frames = unit_frames(test.images[:BATCH])
    timings = time_in_turn(opened.predictors, frames, options.rounds, options.calls, options.batches)
    for row in rows:
        row.update(summarise(timings[row["format"]], timings[TORCH]))
    model = {
        "model": source.network.config.model,
        "version": source.version,
        "test_set": f"{title}{', the first' if options.test_limit else ', complete'}",
        "n": len(test),
        "formats": rows,
        "absent": opened.absent,
    }
    return model | ({"pruned": pruning_of(opened.pruned)} if opened.pruned else {})


def open_all(source: Source, exports: Path) -> Opened:
    """Open the checkpoint, every export and the pruned network.

    Raises:
        DamagedError: a file is damaged or was made from other weights.
    """
    opened = {TORCH: source.predictor()}
    paths = {TORCH: source.weights}
    absent: dict[str, str] = {}
    folder = exports / source.name
    for name, form in FORMATS.items():
        if not (folder / form.file).exists():
            remedy = form.why_absent() or f"python -m training.export {source.network.config.model}"
            absent[name] = f"not exported: {remedy}"
            continue
        try:
            opened[name] = open_export(source, form, exports)
            paths[name] = folder / form.file
        except AbsentError as err:
            absent[name] = str(err)
    path, card = folder / PRUNED, None
    if path.exists():
        card = check_pruned(path, source)
        opened["pruned"], paths["pruned"] = torch_predictor(load_checkpoint(path), source.metadata), path
    return Opened(opened, paths, absent, card)


def predict_labels(predictor: Predictor, characters: Characters, title: str) -> np.ndarray:
    """Return the (N,) indices of the most probable labels."""
    parts = range(0, len(characters), BATCH)
    with tqdm(parts, desc=title, unit="batch", disable=None) as progress:
        found = [predictor.predict(unit_frames(characters.images[k : k + BATCH])).argmax(axis=1) for k in progress]
    return np.concatenate(found)


def pruning_of(card: Card) -> dict[str, Any]:
    """Take from the card of a pruned network what the page says about it."""
    names = ("sparsity", "parameters", "nonzero_parameters", "bytes", "bytes_zipped", "unpruned", "metrics", "command")
    facts = asdict(card)
    return {name: facts[name] for name in names}


def time_in_turn(
    predictors: Mapping[str, Predictor], frames: np.ndarray, rounds: int, calls: int, batches: int
) -> dict[str, Timings]:
    """Time predictors in rounds. Each has its turn in every round, so that other load on the machine affects all alike.

    Args:
        predictors: by name.
        frames: (N, 1, 28, 28) float32, N at least PICTURES.
        rounds: number of turns of each predictor.
        calls: with one frame, in a turn.
        batches: calls with PICTURES frames, in a turn.
    """
    names = list(predictors)
    single: dict[str, list[list[float]]] = {name: [] for name in names}
    batch: dict[str, list[list[float]]] = {name: [] for name in names}
    alone = [frames[k : k + 1] for k in range(len(frames))]
    together = [frames[:PICTURES]]
    for turn in trange(rounds, desc="timing", unit="round", disable=None):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            predict = predictors[name].predict
            single[name].append(clock(predict, alone, calls))
            batch[name].append(clock(predict, together, batches))
    return {name: Timings(np.array(single[name]), np.array(batch[name])) for name in names}


def clock(predict: Callable[[np.ndarray], np.ndarray], inputs: list[np.ndarray], calls: int) -> list[float]:
    """Return the milliseconds of each call, with one input after the other."""
    for k in range(min(WARM_UP, calls)):
        predict(inputs[k % len(inputs)])
    times: list[float] = []
    for k in range(calls):
        start = time.perf_counter_ns()
        predict(inputs[k % len(inputs)])
        times.append((time.perf_counter_ns() - start) / 1e6)
    return times


def summarise(timings: Timings, torch_timings: Timings) -> dict[str, Any]:
    """Compute the figures of a predictor, and how many times as fast as torch it is in each round."""
    p50, p95 = (np.percentile(timings.single_ms, percent, axis=1) for percent in (50, 95))
    p50_torch, p95_torch = (np.percentile(torch_timings.single_ms, percent, axis=1) for percent in (50, 95))
    return {
        "p50_ms": float(np.percentile(timings.single_ms, 50)),
        "p95_ms": float(np.percentile(timings.single_ms, 95)),
        "pictures_per_s": float(np.median(timings.throughputs)),
        "p50_times_as_fast": spread(p50_torch / p50),
        "p95_times_as_fast": spread(p95_torch / p95),
        "throughput_times_as_fast": spread(timings.throughputs / torch_timings.throughputs),
    }


def spread(ratios: np.ndarray) -> dict[str, float]:
    """Return the median of (rounds,) ratios, their least and their greatest."""
    return {"median": float(np.median(ratios)), "min": float(ratios.min()), "max": float(ratios.max())}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.export.table",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="recognisers to measure (default: all)")
    parser.add_argument("--rounds", type=positive, default=10, help="turns of each format")
    parser.add_argument("--calls", type=positive, default=100, help="calls with one picture in a turn")
    parser.add_argument("--batches", type=positive, default=10, help=f"calls with {PICTURES} pictures in a turn")
    parser.add_argument("--test-limit", type=positive, help="use only the first TEST_LIMIT test characters")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the weights")
    parser.add_argument("--exports", type=Path, default=Path("runs/exports"), help="folder of the exports")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="folder for the results")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Measure from the command line.

    Raises:
        CommandError: something cannot be measured; nothing is written then.
    """
    options = parse(arguments)
    torch.set_num_threads(1)
    sources = [load_source(path) for path in find_weights(options.weights, options.models)]
    exported = [source for source in sources if (options.exports / source.name).is_dir()]
    for source in sources:
        if source not in exported:
            print(f"{source.name} is left out: {options.exports} has no exports of it")
    if not exported:
        raise DamagedError(f"{options.exports} has no exports: run `python -m training.export`")
    models = [measure_exports(source, options) for source in exported]
    timing = {"rounds": options.rounds, "calls": options.calls, "batches": options.batches, "pictures": PICTURES}
    results = {"command": command(), "commit": commit(), **machine(PACKAGES), **timing, "models": models}
    for name, content in (("exports.json", json.dumps(results, indent=2) + "\n"), ("exports.md", render(results))):
        with atomic_write(options.out / name) as partial:
            partial.write_text(content)
    print(f"wrote {options.out / 'exports.md'} and exports.json")


if __name__ == "__main__":
    sys.exit(run("table", main))
