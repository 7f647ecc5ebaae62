"""How well a network reads."""

import torch
from torch import nn

BATCH = 1000


@torch.inference_mode()
def predict(network: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Score frames in evaluation mode.

    Args:
        network: returns logits.
        frames: (N, 1, 28, 28) float32 in [0, 1].

    Returns:
        (N, labels) float32 probabilities.
    """
    network.eval()
    return torch.cat([network(batch).softmax(dim=1) for batch in frames.split(BATCH)])


def accuracy(network: nn.Module, frames: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of frames whose most probable label is the right one, in [0, 1]."""
    return (predict(network, frames).argmax(dim=1) == labels).double().mean().item()
