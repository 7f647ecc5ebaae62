"""ResidualNet: the largest network, for many classes, and the teacher in distillation."""

from collections.abc import Sequence

import torch
from torch import nn

from handwriting.networks.base import ModelConfig, Network, conv_bn, conv_bn_relu


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions whose result is added to their input.

    Source: He, Zhang, Ren and Sun 2016, "Deep residual learning for image recognition", fig. 2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(conv_bn_relu(channels, channels), conv_bn(channels, channels))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) in and out."""
        return torch.relu(features + self.change(features))


class ResidualNet(Network):
    """`characters`: a stage for each resolution, with residual blocks below the first, then fully connected layers.

    Args:
        config: of the network.
        channels: of each stage; between stages height and width are halved.
        blocks: residual blocks in each stage.
        hidden: width of the fully connected layer before the output.
        dropout: probability of dropping an input of the fully connected layers in training.
    """

    def __init__(
        self,
        config: ModelConfig,
        channels: Sequence[int] = (32, 64, 128),
        blocks: Sequence[int] = (0, 1, 1),
        hidden: int = 256,
        dropout: float = 0.3,
    ) -> None:
        super().__init__(config)
        layers: list[nn.Module] = []
        before = 1
        for width, count in zip(channels, blocks, strict=True):
            layers += [conv_bn_relu(before, width), *(ResidualBlock(width) for _ in range(count)), nn.MaxPool2d(2)]
            before = width
        self.stages = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(before * 3 * 3, hidden), nn.ReLU(), nn.Dropout(dropout)
        )
        self.output = nn.Linear(hidden, len(config.labels))

    def score(self, frames: torch.Tensor) -> torch.Tensor:
        """Score frames; see Network."""
        features = self.stages(frames)  # (N, 32, 14, 14) -> (N, 64, 7, 7) -> (N, 128, 3, 3)
        logits: torch.Tensor = self.output(self.classifier(features.flatten(1)))  # (N, 1152) -> 256 -> labels
        return logits

    def last_maps(self) -> nn.Module:
        """Return the last block before its pooling, (N, 128, 7, 7); see Network."""
        return self.stages[-2]
