"""The runtime that scores frames in a worker: plain PyTorch, or a frozen TorchScript graph, which is faster."""

import warnings
from collections.abc import Callable

import torch

from handwriting.networks import Network
from handwriting.preprocess import FRAME_PX

RUNTIMES = ("frozen", "torch")

Score = Callable[[torch.Tensor], torch.Tensor]


def make_runtime(network: Network, name: str) -> Score:
    """Return a function from (N, 1, 28, 28) float32 frames to (N, labels) float32 logits.

    Args:
        network: in evaluation mode, on the CPU.
        name: "torch" runs the network as it is. "frozen" folds BatchNorm into the convolutions, fuses layers, and lays
            out the weights for this machine's oneDNN; logits differ by rounding only.

    Raises:
        ValueError: the name is unknown.
    """
    if name not in RUNTIMES:
        raise ValueError(f"runtime is {name!r}; wanted one of {', '.join(RUNTIMES)}")
    if name == "torch":
        return network
    example = torch.zeros(2, 1, FRAME_PX, FRAME_PX)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, but nothing else is as fast here
        # Its own check loads 40 MB of modules into each worker, and the tests compare all logits
        traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        frozen: Score = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
        for _ in range(2):  # the first passes compile
            frozen(example)
    return frozen
