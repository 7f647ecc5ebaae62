"""What all networks share: a config to rebuild them by, blocks to build them from, and a last layer by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from handwriting.networks.tta import sample, turned_grids


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to rebuild a recogniser's network; stored in its checkpoint.

    Attributes:
        model: name of the recogniser, as in `/predictions/<model>`.
        architecture: name of the network's class in `handwriting.networks`.
        labels: one label for each output, in order.
        normal_form: which normal form of `handwriting.preprocess` the network was trained on.
        sizes: keyword arguments of the architecture; it has its own defaults for those not given.
        turns_deg: a trained network also looks at the frame turned by these angles; logits are the mean of all looks.
        temperature: by what the trained logits were divided to calibrate the probabilities; the weights include it.
        balance: by which power of the classes' excess in the training data over an even mixture of characters the
            probabilities were divided; the weights include it.
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
    """Turns (N, 1, 28, 28) float32 frames in [0, 1], 1 is ink, into (N, labels) float32 logits.

    An architecture says in `score` how it does so at one look.

    Attributes:
        config: what it was made from.
        output: its last layer, one output for each label.
    """

    output: nn.Linear | nn.Conv2d

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("grids", turned_grids(config.turns_deg) if config.turns_deg else None, persistent=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Score frames: as they are in training, and else from all sides."""
        if self.training or self.grids is None:
            return self.score(frames)
        turned = [sample(frames, grid) for grid in self.grids.unbind()]
        logits = self.score(torch.cat([frames, *turned]))  # all looks at once: one pass costs less than several
        return logits.unflatten(0, (1 + len(turned), -1)).mean(dim=0)

    def score(self, frames: torch.Tensor) -> torch.Tensor:
        """Turn (N, 1, 28, 28) frames into (N, labels) logits at one look."""
        raise NotImplementedError

    def last_maps(self) -> nn.Module:
        """Return the layer whose output is the last that still has a height and width of some pixels."""
        raise NotImplementedError

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
