"""The recogniser behind all peers: the project's preprocessing, weights and answers. Only the servers differ."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import yaml

from deploy.local.settings import ROOT
from handwriting.checkpoint import load_checkpoint
from handwriting.preprocess import picture_frame
from handwriting.serving.runtime import softmax, use_threads
from measuring.speed.digit_requests import MODEL, runtime_of

WEIGHTS_VARIABLE, RUNTIME_VARIABLE = "BENCH_WEIGHTS", "BENCH_RUNTIME"
RUNTIME = os.environ.get(RUNTIME_VARIABLE, "onnx")
SETTINGS = yaml.safe_load((ROOT / "config" / f"{MODEL}.yaml").read_text())  # Inkserve's own
BATCH_SIZES = {"onnx": SETTINGS["batchSize"], "torch": 32}  # PyTorch takes longer for a picture of a smaller batch
BATCH_SIZE = BATCH_SIZES[RUNTIME]
DELAY_MS = SETTINGS["maxBatchDelay"]
WORKERS = SETTINGS["minWorkers"]
TOP_K = 3


class Recogniser:
    """Reads batches of encoded pictures."""

    def __init__(self) -> None:
        use_threads(1)
        network = load_checkpoint(Path(os.environ[WEIGHTS_VARIABLE]))
        self.labels, self.form = network.config.labels, network.config.normal_form
        self.score = runtime_of(network, RUNTIME)

    def read(self, pictures: Sequence[bytes]) -> list[bytes]:
        """Answer each picture as the inference API does."""
        frames = np.stack([picture_frame(picture, self.form) for picture in pictures])
        probabilities = softmax(self.score(frames))
        return [self.answer(row) for row in probabilities]

    def answer(self, probabilities: np.ndarray) -> bytes:
        """Write the JSON answer for a row of probabilities."""
        order = (-probabilities).argsort(kind="stable")[:TOP_K]
        top = [{"label": self.labels[i], "probability": probabilities[i]} for i in order]
        answer = {"label": top[0]["label"], "confidence": top[0]["probability"], "top": top}
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
