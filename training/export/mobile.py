"""Formats for phones and small boards: ExecuTorch with XNNPACK, and LiteRT, formerly TensorFlow Lite.

Each function imports what it needs, since the two cannot be installed together.
"""

# ruff: noqa: PLC0415

import json
import zipfile
from pathlib import Path

import numpy as np
import torch

from handwriting.preprocess import FRAME_PX
from training.export.source import Predictor, Source

MAX_BATCH = 64  # ExecuTorch plans memory for so many frames, LiteRT's second entrance takes exactly so many
METADATA = "metadata.json"


def write_executorch(source: Source, path: Path) -> None:
    """Write a network for any batch size up to MAX_BATCH; its method `metadata` returns the metadata as JSON."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    # ExecuTorch 1.5 plans memory for the larger of the example and 15, whatever the bound says: give the largest batch
    example = torch.rand(MAX_BATCH, 1, FRAME_PX, FRAME_PX)
    batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
    program = torch.export.export(source.probabilities(), (example,), dynamic_shapes=({0: batch},), strict=False)
    metadata = {"metadata": json.dumps(source.metadata)}
    edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()], constant_methods=metadata)
    path.write_bytes(edge.to_executorch().buffer)


def open_executorch(path: Path) -> Predictor:
    """Open a file in ExecuTorch's runtime; larger batches than its largest are split."""
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    if portable_lib._threadpool_get_thread_count() != 1:
        portable_lib._unsafe_reset_threadpool(1)  # the only way there is, and not with methods open on the old pool
    program = Runtime.get().load_program(path)
    method = program.load_method("forward")

    def predict(frames: np.ndarray) -> np.ndarray:
        parts = torch.from_numpy(frames).split(MAX_BATCH)
        return np.concatenate([method.execute([part])[0].numpy() for part in parts])

    return Predictor(predict, json.loads(program.load_method("metadata").execute([])[0]))


def write_litert(source: Source, path: Path) -> None:
    """Write a network with an entrance for one frame and one for 64; the metadata is a ZIP archive at the file's end.

    LiteRT's converter has no dynamic batch size for these networks, so the file has two entrances to the same weights.
    TensorFlow Lite's metadata puts label files into a model in the same way, so that `unzip` finds them.
    """
    import litert_torch

    converter = litert_torch
    for name, size in (("one", 1), ("many", MAX_BATCH)):
        converter = converter.signature(name, source.probabilities(), (torch.rand(size, 1, FRAME_PX, FRAME_PX),))
    converter.convert().export(str(path))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, json.dumps(source.metadata))


def open_litert(path: Path) -> Predictor:
    """Open a file in LiteRT's interpreter on one thread; a batch is cut, and the last part filled up, to the 64."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    runners = {name: interpreter.get_signature_runner(name) for name in ("one", "many")}
    names = {name: next(iter(runner.get_input_details())) for name, runner in runners.items()}

    def run(name: str, frames: np.ndarray) -> np.ndarray:
        return next(iter(runners[name](**{names[name]: frames}).values()))

    def predict(frames: np.ndarray) -> np.ndarray:
        if len(frames) == 1:
            return run("one", frames)
        filled = np.concatenate([frames, np.zeros((-len(frames) % MAX_BATCH, *frames.shape[1:]), frames.dtype)])
        parts = [run("many", filled[k : k + MAX_BATCH]) for k in range(0, len(filled), MAX_BATCH)]
        return np.concatenate(parts)[: len(frames)]

    with zipfile.ZipFile(path) as archive:
        return Predictor(predict, json.loads(archive.read(METADATA)))
