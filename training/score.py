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


def score(network: nn.Module, frames: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Measure a network on labelled frames.

    Returns:
        accuracy: share of frames whose most probable label is the right one, in [0, 1].
        log_loss: mean of -log(probability of the right label), in nats; it tells networks of equal accuracy apart.
    """
    probabilities = predict(network, frames)
    right = probabilities.gather(1, labels[:, None]).clamp_min(1e-12)
    return {
        "accuracy": (probabilities.argmax(dim=1) == labels).double().mean().item(),
        "log_loss": -right.double().log().mean().item(),
    }
