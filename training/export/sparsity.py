"""Pruning: which weights become zero, and how they stay so."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.utils import prune as pruning

from handwriting.networks import Network


def prune(network: Network, sparsity: float) -> dict[str, torch.Tensor]:
    """Set the weights of convolutions and fully connected layers that are nearest to zero to zero, in place.

    Args:
        network: to be changed.
        sparsity: share of those weights, all layers together, in (0, 1).

    Returns:
        masks by the weight's name: float32 of its shape, 0 where it is pruned, else 1.

    Source: Han, Pool, Tran and Dally 2015, "Learning both weights and connections for efficient neural networks".
    """
    layers = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}
    weights = [(layer, "weight") for layer in layers.values()]
    pruning.global_unstructured(weights, pruning_method=pruning.L1Unstructured, amount=sparsity)
    masks = {f"{name}.weight": layer.weight_mask.clone() for name, layer in layers.items()}
    for layer in layers.values():
        pruning.remove(layer, "weight")
    return masks


def hold_zeros(network: nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
    """Keep pruned weights at zero in training: without a gradient, neither AdamW's step nor its decay moves them."""
    parameters = dict(network.named_parameters())
    for name, mask in masks.items():
        parameters[name].register_hook(lambda gradient, mask=mask: gradient * mask)


def count_zeros(network: nn.Module, masks: Mapping[str, torch.Tensor]) -> int:
    """Count the weights that are zero, of those that a mask covers."""
    parameters = dict(network.named_parameters())
    return sum(int((parameters[name] == 0).sum()) for name in masks)
