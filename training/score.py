"""How well a network reads."""

import torch
from torch import nn

BATCH = 1000


@torch.inference_mode()
def score_frames(network: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Run a network in evaluation mode.

    Args:
        network: on any device.
        frames: (N, 1, 28, 28) float32 in [0, 1].

    Returns:
        (N, labels) float32 logits on the CPU.
    """
    network.eval()
    device = next(network.parameters()).device
    return torch.cat([network(batch.to(device)).cpu() for batch in frames.split(BATCH)])


def measure(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Measure logits against the right labels.

    Args:
        logits: (N, labels) float32.
        labels: (N,) int64.

    Returns:
        accuracy: share of frames whose most probable label is the right one, in [0, 1].
        mean_recall: mean over the classes that occur of the share of their frames that are read right, in [0, 1].
        log_loss: mean of -log(probability of the right label), in nats; it tells networks of equal accuracy apart.
    """
    right = logits.argmax(dim=1) == labels
    counts = labels.bincount(minlength=logits.shape[1])
    recalls = labels.bincount(weights=right.double(), minlength=logits.shape[1]) / counts
    return {
        "accuracy": right.double().mean().item(),
        "mean_recall": recalls[counts > 0].mean().item(),
        "log_loss": nn.functional.cross_entropy(logits.double(), labels).item(),
    }
