"""What scores frames in a worker: PyTorch as it is, or with the network frozen, which does the same in less time."""

import warnings
from collections.abc import Callable

import torch

from handwriting.networks import Network
from handwriting.preprocess import FRAME_PX

RUNTIMES = ("frozen", "torch")

Score = Callable[[torch.Tensor], torch.Tensor]


def make_runtime(network: Network, name: str) -> Score:
    """Make what turns (N, 1, 28, 28) float32 frames into (N, labels) float32 logits.

    Args:
        network: in evaluation mode, on the CPU.
        name: "torch" runs the network as it is; "frozen" folds its BatchNorm into the convolutions, fuses layers, and
            lays weights out for this machine's oneDNN: logits are the same but for rounding.

    Raises:
        ValueError: there is no such runtime.
    """
    if name not in RUNTIMES:
        raise ValueError(f"runtime is {name!r}; wanted one of {', '.join(RUNTIMES)}")
    if name == "torch":
        return network
    example = torch.zeros(2, 1, FRAME_PX, FRAME_PX)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # TorchScript's end is announced, and nothing as quick has come in its place
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, example)))
        for _ in range(2):  # the first passes compile
            frozen(example)
    return frozen
