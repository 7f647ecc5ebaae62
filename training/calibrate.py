"""Probabilities that mean what they say, and fairness to rare classes, both put into the last layer's weights."""

import dataclasses

import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional

from handwriting.networks import Network

TEMPERATURES = (0.2, 5.0)
BALANCES = [step / 20 for step in range(-20, 21)]  # negative where a teacher has balanced too much
BALANCE_WEIGHT = 0.15  # of the classes' mean log loss; the characters' mean log loss has the rest


def calibrate(network: Network, logits: torch.Tensor, labels: torch.Tensor, excess: torch.Tensor | None) -> None:
    """Fit temperature and balance on characters that the network has not learned from, and change its last layer.

    Args:
        network: to be changed, in its config too.
        logits: (N, labels) float32, the network's for held-out frames.
        labels: (N,) int64, theirs.
        excess: (labels,) float32, how much more common each class is in the training data than it should be; None for
            no balance.
    """
    temperature = best_temperature(logits, labels)
    offsets = torch.zeros(logits.shape[1])
    balance = 0.0
    if excess is not None:
        balance = best_balance(logits / temperature, labels, excess)
        offsets = -balance * excess.log()
        offsets -= offsets.mean()
    network.rescale_logits(1 / temperature, offsets)
    network.config = dataclasses.replace(network.config, temperature=temperature, balance=balance)


def best_temperature(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Find the temperature that divides logits so that log loss is least.

    Source: Guo, Pleiss, Sun and Weinberger 2017, "On calibration of modern neural networks", section 4.2.
    """

    def log_loss(temperature: float) -> float:
        return functional.cross_entropy(logits.double() / temperature, labels).item()

    return float(minimize_scalar(log_loss, bounds=TEMPERATURES, method="bounded").x)


def best_balance(logits: torch.Tensor, labels: torch.Tensor, excess: torch.Tensor) -> float:
    """Find the power of the classes' excess whose division is best for characters and for classes together.

    Log losses are compared because accuracies of some thousand characters change with every few of them.

    Source: Menon et al. 2021, "Long-tail learning via logit adjustment", section 4.1, whose tau this is.
    """
    counts = labels.bincount(minlength=logits.shape[1]).double()

    def log_loss(balance: float) -> float:
        losses = functional.cross_entropy(logits.double() - balance * excess.log(), labels, reduction="none")
        by_class = labels.bincount(weights=losses, minlength=len(counts))[counts > 0] / counts[counts > 0]
        return torch.lerp(losses.mean(), by_class.mean(), BALANCE_WEIGHT).item()

    return min(BALANCES, key=log_loss)
