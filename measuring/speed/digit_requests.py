"""What all speed measurements send, and to which recogniser: PNG pictures of MNIST's test set to `digits`."""

import tempfile
from pathlib import Path

import numpy as np

from deploy.graph import write_graph
from deploy.local.settings import ROOT
from handwriting.networks import Network
from handwriting.serving.runtime import Score, make_runtime
from inkserve.client.pictures import encode, from_array
from measuring.common.wrk import write_bodies
from training.data import load_characters

MODEL = "digits"
ARCHIVE = ROOT / "model_store" / f"{MODEL}-1.0.mar"
WEIGHTS = ROOT / "weights" / f"{MODEL}-1.0.safetensors"
PICTURES = 512


def mnist_frames(count: int = PICTURES) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 28, 28) uint8 frames and (N,) labels.

    Raises:
        DataError: MNIST is missing.
    """
    digits = load_characters("mnist", "test").take(slice(count))
    return digits.images, digits.labels


def encoded(frames: np.ndarray) -> list[bytes]:
    """Return frames as PNG."""
    return [encode(from_array(frame)) for frame in frames]


def write_bodies_of_digits(path: Path) -> Path:
    """Write PICTURES bodies for wrk, and return the path.

    Raises:
        DataError: MNIST is missing.
    """
    write_bodies(encoded(mnist_frames()[0]), False, path)
    return path


def runtime_of(network: Network, name: str) -> Score:
    """Return what scores frames in a worker, outside of one; as `make_runtime`."""
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "network.onnx"
        if name == "onnx":
            write_graph(network, graph)
        return make_runtime(network, name, graph)
