"""LiteRT, formerly TensorFlow Lite: for Android and microprocessors."""

import json
import zipfile
from pathlib import Path

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter

from handwriting.preprocess import FRAME_PX
from training.export.source import Predictor, Probabilities, Source

# LiteRT's converter has no dynamic batch size for these networks. So the file has two entrances to the same weights.
BATCHES = {"one": 1, "many": 64}
METADATA = "metadata.json"


def write(source: Source, path: Path) -> None:
    """Write a network with an entrance for one frame and one for 64; the metadata is a ZIP archive at the file's end.

    That is how TensorFlow Lite's metadata puts label files into a model, so that `unzip` finds them.
    """
    import litert_torch  # noqa: PLC0415  # only the converter needs it, and takes seconds to load it

    module = Probabilities(source.network).eval()
    converter = litert_torch
    for name, size in BATCHES.items():
        converter = converter.signature(name, module, (torch.rand(size, 1, FRAME_PX, FRAME_PX),))
    converter.convert().export(str(path))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, json.dumps(source.metadata))


def open_file(path: Path) -> Predictor:
    """Open a file in LiteRT's interpreter on one thread; a batch is cut, and the last part filled up, to the 64."""
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    runners = {name: interpreter.get_signature_runner(name) for name in BATCHES}
    names = {name: next(iter(runner.get_input_details())) for name, runner in runners.items()}

    def run(name: str, frames: np.ndarray) -> np.ndarray:
        return next(iter(runners[name](**{names[name]: frames}).values()))

    def predict(frames: np.ndarray) -> np.ndarray:
        if len(frames) == 1:
            return run("one", frames)
        size = BATCHES["many"]
        filled = np.concatenate([frames, np.zeros((-len(frames) % size, *frames.shape[1:]), frames.dtype)])
        parts = [run("many", filled[k : k + size]) for k in range(0, len(filled), size)]
        return np.concatenate(parts)[: len(frames)]

    with zipfile.ZipFile(path) as archive:
        return Predictor(predict, json.loads(archive.read(METADATA)))
