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
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import trange

from handwriting.checkpoint import load_checkpoint
from handwriting.preprocess import unit_frames
from inkserve.command import run
from inkserve.files import atomic_write
from training.card import Card, card_path, file_size
from training.data import is_there, load_characters, title_of
from training.export.exports_page import render
from training.export.formats import FORMATS
from training.export.prune import PRUNED_FILE
from training.export.source import BATCH, AbsentError, DamagedError, Predictor, Source, find_weights, load_source
from training.export.store import open_export, read_checked
from training.options import positive
from training.provenance import command, commit, machine

TORCH, PRUNED = "torch", "pruned"
PACKAGES = ("torch", "onnx", "onnxruntime", "executorch", "ai-edge-litert")
WARM_UP = 10  # calls before the measured ones in each turn: the predictor before used the caches
PICTURES = 64  # at once, for throughput
OF_PRUNING = ("sparsity", "parameters", "nonzero_parameters", "bytes", "bytes_zipped", "unpruned", "metrics", "command")


@dataclass
class Timings:
    """Measured times of one predictor, a list for each round.

    Attributes:
        single_ms: of each call with one frame.
        batch_ms: of each call with PICTURES frames.
    """

    single_ms: list[list[float]] = field(default_factory=list)
    batch_ms: list[list[float]] = field(default_factory=list)

    def throughputs(self) -> np.ndarray:
        """Return (rounds,) float64 pictures per second."""
        return PICTURES * 1000 / np.mean(self.batch_ms, axis=1)


def measure_exports(source: Source, options: argparse.Namespace) -> dict[str, Any]:
    """Measure all formats of a recogniser.

    Raises:
        ExportError: there is no test data, or a file is damaged or stale.
        DataError: the test data is damaged.
    """
    title, folder = title_of(source.normal_form, "test"), options.exports / source.name
    if not is_there(source.normal_form, "test"):
        raise AbsentError(f"no {title} to measure {source.name} on; see `make data`")
    test = load_characters(source.normal_form, "test").take(slice(options.test_limit))
    predictors, absent = open_all(source, options.exports)
    files = {TORCH: source.weights, PRUNED: folder / PRUNED_FILE}
    files |= {name: folder / form.file for name, form in FORMATS.items()}
    timings = time_in_turn(predictors, unit_frames(test.images[:BATCH]), options)
    labels = {
        name: predictor.predict_all(test.images, f"{source.name}, {name}").argmax(axis=1)
        for name, predictor in predictors.items()
    }
    rows = [
        {
            "format": name,
            **asdict(file_size(files[name])),
            "accuracy": float((found == test.labels).mean()),
            "agreement": float((found == labels[TORCH]).mean()),
            **summarise(timings[name], timings[TORCH]),
        }
        for name, found in labels.items()
    ]
    model = {
        "model": source.network.config.model,
        "version": source.version,
        "test_set": f"{title}{', the first' if options.test_limit else ', complete'}",
        "n": len(test),
        "formats": rows,
        "absent": absent,
    }
    if PRUNED in predictors:
        card = asdict(Card.read(card_path(files[PRUNED])))
        model["pruned"] = {name: card[name] for name in OF_PRUNING}
    return model


def open_all(source: Source, exports: Path) -> tuple[dict[str, Predictor], dict[str, str]]:
    """Open the checkpoint, every export and the pruned network.

    Returns:
        predictors by format, torch first; why other formats are absent.

    Raises:
        CardError: a card is missing or damaged.
        DamagedError: a file is damaged or was made from other weights.
    """
    opened, absent = {TORCH: source.predictor()}, {}
    for name, form in FORMATS.items():
        try:
            opened[name] = open_export(source, form, exports)
        except AbsentError as err:
            absent[name] = str(err)
    path = exports / source.name / PRUNED_FILE
    if path.exists():
        read_checked(Card, card_path(path), path, source)
        opened[PRUNED] = replace(source, network=load_checkpoint(path)).predictor()
    return opened, absent


def time_in_turn(
    predictors: Mapping[str, Predictor], frames: np.ndarray, options: argparse.Namespace
) -> dict[str, Timings]:
    """Time predictors in rounds. Each has its turn in every round, so that other load on the machine affects all alike.

    Args:
        predictors: by name.
        frames: (N, 1, 28, 28) float32, N at least PICTURES.
        options: of the command line, with the number of rounds, and of calls and batches in a turn.
    """
    timings = {name: Timings() for name in predictors}
    names, alone, together = list(predictors), np.split(frames, len(frames)), [frames[:PICTURES]]
    for turn in trange(options.rounds, desc="timing", unit="round", disable=None):
        for name in np.roll(names, -turn):
            predict = predictors[name].predict
            timings[name].single_ms.append(clock(predict, alone, options.calls))
            timings[name].batch_ms.append(clock(predict, together, options.batches))
    return timings


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
    p50_ms, p95_ms = np.percentile(timings.single_ms, (50, 95))
    p50, p95 = np.percentile(timings.single_ms, (50, 95), axis=1)
    p50_torch, p95_torch = np.percentile(torch_timings.single_ms, (50, 95), axis=1)
    throughputs = timings.throughputs()
    return {
        "p50_ms": float(p50_ms),
        "p95_ms": float(p95_ms),
        "pictures_per_s": float(np.median(throughputs)),
        "p50_times_as_fast": spread(p50_torch / p50),
        "p95_times_as_fast": spread(p95_torch / p95),
        "throughput_times_as_fast": spread(throughputs / torch_timings.throughputs()),
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
