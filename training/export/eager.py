"""Our own checkpoint, run by torch as the server runs it: what every export is compared with."""

import json
from pathlib import Path

import numpy as np
import torch

from handwriting.checkpoint import load_checkpoint
from handwriting.networks import Network
from training.export.reader import Reader
from training.export.source import Probabilities


def open_reader(path: Path) -> Reader:
    """Open a checkpoint."""
    return read_with(load_checkpoint(path))


def read_with(network: Network) -> Reader:
    """Make a reader of a network in evaluation mode."""
    module = Probabilities(network).eval()

    @torch.inference_mode()
    def predict(frames: np.ndarray) -> np.ndarray:
        return module(torch.from_numpy(frames)).numpy()

    config = network.config
    labels = json.dumps(config.labels)
    return Reader(predict, {"model": config.model, "labels": labels, "normal_form": config.normal_form})
