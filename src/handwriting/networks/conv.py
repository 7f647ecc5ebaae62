"""ConvNet: three convolution blocks and three fully connected layers."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from handwriting.networks.base import ModelConfig, Network, conv_bn_relu


class ConvNet(Network):
    """`digits`: convolution blocks that halve height and width, then fully connected layers.

    Args:
        config: of the network.
        channels: of the 3 x 3 convolutions, for each block.
        hidden: widths of the fully connected layers before the output.
        dropout: probability of dropping a unit of the fully connected layers in training.
    """

    def __init__(
        self,
        config: ModelConfig,
        channels: Sequence[Sequence[int]] = ((16, 32), (64,), (128,)),
        hidden: Sequence[int] = (256, 128),
        dropout: float = 0.3,
    ) -> None:
        super().__init__(config)
        layers: list[nn.Module] = []
        before = 1
        for block in channels:
            layers += [*(conv_bn_relu(i, o) for i, o in pairwise((before, *block))), nn.MaxPool2d(2)]
            before = block[-1]
        self.blocks = nn.Sequential(*layers)
        features = before * 3 * 3  # 28 px halved three times, rounded down: 14, 7, 3
        layers = []
        for width in hidden:
            layers += [nn.Linear(features, width), nn.ReLU(), nn.Dropout(dropout)]
            features = width
        self.classifier = nn.Sequential(*layers)
        self.output = nn.Linear(features, len(config.labels))

    def score(self, frames: torch.Tensor) -> torch.Tensor:
        """Score frames; see Network."""
        features = self.blocks(frames)  # (N, 32, 14, 14) -> (N, 64, 7, 7) -> (N, 128, 3, 3)
        logits: torch.Tensor = self.output(self.classifier(features.flatten(1)))  # (N, 1152) -> 256 -> 128 -> labels
        return logits

    def last_maps(self) -> nn.Module:
        """Return the last convolution block before its pooling, (N, 128, 7, 7); see Network."""
        return self.blocks[-2]
