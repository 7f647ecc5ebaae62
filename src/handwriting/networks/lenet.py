"""LeNet5: two convolutions and three fully connected layers, as in 1998."""

import torch
from torch import nn

from handwriting.networks.base import ModelConfig, Network


class LeNet5(Network):
    """`lenet5`: LeCun's network, with today's ReLU, max pooling, BatchNorm and dropout.

    Args:
        config: of the network.
        dropout: probability of dropping an input of the fully connected layers in training.

    Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition", II.B; its 32 x 32 input is
    our 28 x 28 frame with 2 px of padding, and its partly connected second convolution is a full one.
    """

    def __init__(self, config: ModelConfig, dropout: float = 0.1) -> None:
        super().__init__(config)
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(400, 120), nn.ReLU(), nn.Dropout(dropout), nn.Linear(120, 84), nn.ReLU()
        )
        self.output = nn.Linear(84, len(config.labels))

    def score(self, frames: torch.Tensor) -> torch.Tensor:
        """Score frames; see Network."""
        features = self.features(frames)  # (N, 6, 14, 14) -> (N, 16, 5, 5)
        logits: torch.Tensor = self.output(self.classifier(features.flatten(1)))  # (N, 400) -> 120 -> 84 -> labels
        return logits

    def last_maps(self) -> nn.Module:
        """Return the second convolution before its pooling, (N, 16, 10, 10); see Network."""
        return self.features[-2]
