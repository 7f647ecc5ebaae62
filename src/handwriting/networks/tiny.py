"""TinyNet: few narrow convolutions and nothing else."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from handwriting.networks.base import ModelConfig, Network, conv_bn_relu


class TinyNet(Network):
    """`digits-tiny`: fully convolutional, so a larger frame would give a map of logits, here averaged to one.

    Args:
        config: of the network.
        channels: of the 3 x 3 convolutions, for each of the stages between which height and width are halved.
    """

    def __init__(self, config: ModelConfig, channels: Sequence[Sequence[int]] = ((10, 16), (20, 24), (26,))) -> None:
        super().__init__(config)
        layers: list[nn.Module] = []
        before = 1
        for stage in channels:
            layers += [conv_bn_relu(i, o) for i, o in pairwise((before, *stage))] + [nn.MaxPool2d(2)]
            before = stage[-1]
        self.features = nn.Sequential(*layers[:-1])  # nothing is pooled after the last stage
        self.output = nn.Conv2d(before, len(config.labels), kernel_size=1)

    def score(self, frames: torch.Tensor) -> torch.Tensor:
        """Score frames; see Network."""
        scores = self.output(self.features(frames))  # (N, labels, 7, 7)
        return functional.adaptive_avg_pool2d(scores, 1).flatten(1)

    def last_maps(self) -> nn.Module:
        """Return all convolutions but the output's, (N, 26, 7, 7); see Network."""
        return self.features
