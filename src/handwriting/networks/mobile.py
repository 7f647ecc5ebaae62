"""MobileNet: depthwise-separable convolutions, for small devices."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from handwriting.networks.base import ModelConfig, Network, conv_bn, conv_bn_relu


class Stage(NamedTuple):
    """A separable block: output channels, side of the depthwise kernel, and its stride."""

    channels: int
    kernel: int
    stride: int


class SeparableBlock(nn.Module):
    """A depthwise convolution, a pointwise one, and a shortcut around both where the sizes allow it.

    Source: Howard et al. 2017, "MobileNets: efficient convolutional neural networks for mobile vision applications".
    """

    def __init__(self, channels_in: int, stage: Stage) -> None:
        super().__init__()
        self.change = nn.Sequential(
            *conv_bn_relu(channels_in, channels_in, stage.kernel, stage.stride, groups=channels_in),
            *conv_bn(channels_in, stage.channels, kernel=1),
        )
        self.shortcut = stage.stride == 1 and channels_in == stage.channels

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, channels_in, H, W) to (N, channels, H / stride, W / stride)."""
        changed = self.change(features)
        return torch.relu(features + changed if self.shortcut else changed)


class MobileNet(Network):
    """`characters-edge`: a stem and separable blocks, averaged over the picture.

    Args:
        config: of the network.
        stem: channels of the first convolution.
        stages: of the separable blocks: channels, depthwise kernel, stride.
        dropout: probability of dropping an input of the output layer in training.
    """

    def __init__(
        self,
        config: ModelConfig,
        stem: int = 16,
        stages: Sequence[Sequence[int]] = (
            (32, 3, 2), (32, 3, 1), (48, 3, 2), (48, 5, 1), (64, 3, 1),
        ),
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(config)
        layers: list[nn.Module] = [conv_bn_relu(1, stem)]
        before = stem
        for stage in (Stage(*sizes) for sizes in stages):
            layers.append(SeparableBlock(before, stage))
            before = stage.channels
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(before, len(config.labels))

    def score(self, frames: torch.Tensor) -> torch.Tensor:
        """Score frames; see Network."""
        features = self.features(frames)  # (N, 16, 28, 28) -> (N, 32, 14, 14) -> (N, 64, 7, 7)
        logits: torch.Tensor = self.output(self.dropout(functional.adaptive_avg_pool2d(features, 1).flatten(1)))
        return logits

    def last_maps(self) -> nn.Module:
        """Return all blocks, (N, 64, 7, 7); see Network."""
        return self.features
