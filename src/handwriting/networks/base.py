"""What all networks share: a config to rebuild them by, blocks to build them from, and a last layer by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to rebuild a recogniser's network; stored in its checkpoint.

    Attributes:
        model: name of the recogniser, as in `/predictions/<model>`.
        architecture: name of the network's class in `handwriting.networks`.
        labels: one label for each output, in order.
        normal_form: which normal form of `handwriting.preprocess` the network was trained on.
        sizes: keyword arguments of the architecture; it has its own defaults for those not given.
        temperature: by what the trained logits were divided to calibrate the probabilities; the weights include it.
        balance: by which power of the classes' excess in the training data over an even mixture of characters the
            probabilities were divided; the weights include it.
    """

    model: str
    architecture: str
    labels: tuple[str, ...]
    normal_form: str = "mnist"
    sizes: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    balance: float = 0.0


class Network(nn.Module):
    """Turns (N, 1, 28, 28) float32 frames in [0, 1], 1 is ink, into (N, labels) float32 logits.

    Attributes:
        config: what it was made from.
        output: its last layer, one output for each label.
    """

    output: nn.Linear | nn.Conv2d

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    @torch.no_grad()
    def rescale_logits(self, factor: float, offsets: torch.Tensor) -> None:
        """Change the last layer so that logits become `factor * logits + offsets`.

        Args:
            factor: any number.
            offsets: (labels,) float32.
        """
        self.output.weight.mul_(factor)
        self.output.bias.mul_(factor).add_(offsets)


def conv_bn(channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Make a convolution with BatchNorm; at stride 1 it keeps height and width."""
    convolution = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out))


def conv_bn_relu(
    channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Make a convolution with BatchNorm and ReLU; at stride 1 it keeps height and width."""
    return nn.Sequential(*conv_bn(channels_in, channels_out, kernel, stride, groups), nn.ReLU())
