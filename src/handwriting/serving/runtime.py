"""The runtime that scores frames in a worker: ONNX Runtime, or plain PyTorch, which is slower."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from handwriting.networks import Network
from handwriting.preprocess.ink_network import open_session

RUNTIMES = ("onnx", "torch")

Score = Callable[[np.ndarray], np.ndarray]


def use_threads(count: int) -> None:
    """Set how many threads PyTorch and OpenCV use in this process; ONNX Runtime uses one.

    One, where other processes use the other cores: a thread of OpenCV waits for work by spinning, which took over a
    tenth of the requests/s of drawings from two workers on two cores.
    """
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def make_runtime(network: Network, name: str, graph: Path) -> Score:
    """Return a function from (N, 28, 28) float32 frames to (N, labels) float32 logits.

    Args:
        network: in evaluation mode, on the CPU.
        name: "torch" runs the network as it is. "onnx" runs its graph, with BatchNorm folded into the convolutions and
            layers fused; logits differ by rounding only.
        graph: its file, as `deploy.graph` writes it; for "onnx".

    Raises:
        ValueError: the name is unknown.
    """
    if name not in RUNTIMES:
        raise ValueError(f"runtime is {name!r}; wanted one of {', '.join(RUNTIMES)}")
    if name == "torch":

        @torch.inference_mode()
        def score(frames: np.ndarray) -> np.ndarray:
            return np.asarray(network(torch.from_numpy(frames)[:, None]))

        return score
    session = open_session(graph)
    return lambda frames: np.asarray(session.run(None, {"frames": frames[:, None]})[0])


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn (n, labels) float32 logits into probabilities."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
