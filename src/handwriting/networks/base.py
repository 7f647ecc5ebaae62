"""The base class, config and building blocks of all networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from handwriting.networks.tta import rotation_grids, sample


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to rebuild a recogniser's network; stored in its checkpoint.

    Attributes:
        model: name of the recogniser, as in `/predictions/<model>`.
        architecture: name of the network's class in `handwriting.networks`.
        labels: one label for each output, in order.
        normal_form: name of the normal form in `handwriting.preprocess` that the network was trained on.
        sizes: keyword arguments of the architecture, where they differ from its defaults.
        turns_deg: angles of test-time augmentation: logits are the mean over the frame and its rotations.
        temperature: divisor of the trained logits that calibrates the probabilities; the weights include it.
        balance: exponent of the correction for unequal class frequencies in the training data: probabilities were
            divided by (frequency / even frequency) ** balance; the weights include it.
    """

    model: str
    architecture: str
    labels: tuple[str, ...]
    normal_form: str = "mnist"
    sizes: Mapping[str, Any] = field(default_factory=dict)
    turns_deg: Sequence[float] = ()
    temperature: float = 1.0
    balance: float = 0.0


class Network(nn.Module):
    """Maps (N, 1, 28, 28) float32 frames in [0, 1], 1 is ink, to (N, labels) float32 logits.

    A subclass implements `score`; `forward` adds test-time augmentation.

    Attributes:
        config: that it was built from.
        output: last layer, with one output for each label.
    """

    output: nn.Linear | nn.Conv2d
    grids: torch.Tensor | None

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("grids", rotation_grids(config.turns_deg) if config.turns_deg else None, persistent=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Score frames; in evaluation mode with test-time augmentation."""
        if self.training or self.grids is None:
            return self.score(frames)
        rotated = [sample(frames, grid) for grid in torch.unbind(self.grids)]
        logits = self.score(torch.cat([frames, *rotated]))  # one pass costs less than several
        return torch.unflatten(logits, 0, (1 + len(rotated), -1)).mean(dim=0)

    def score(self, frames: torch.Tensor) -> torch.Tensor:
        """Map (N, 1, 28, 28) frames to (N, labels) logits, without augmentation."""
        raise NotImplementedError

    def last_maps(self) -> nn.Module:
        """Return the last layer whose output has a height and width, for Grad-CAM."""
        raise NotImplementedError

    @torch.no_grad()
    def rescale_logits(self, factor: float, offsets: torch.Tensor) -> None:
        """Change the last layer so that it returns `factor * logits + offsets`.

        Args:
            factor: of all logits.
            offsets: (labels,) float32.
        """
        self.output.weight.mul_(factor)
        if self.output.bias is not None:  # each of our networks has one
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
