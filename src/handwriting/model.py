"""The networks, and their checkpoints: safetensors weights with the architecture in the header."""

import json
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to rebuild a recogniser's network; stored in its checkpoint.

    Attributes:
        model: name of the recogniser, as in `/predictions/<model>`.
        labels: one label for each output, in order.
        normal_form: which normal form of `handwriting.preprocess` the network was trained on.
        channels: output channels of the convolution blocks.
        depth: convolutions in each block.
        hidden: widths of the fully connected layers before the output.
        dropout: probability of dropping a unit of the fully connected layers in training.
    """

    model: str
    labels: tuple[str, ...]
    normal_form: str = "mnist"
    channels: tuple[int, ...] = (32, 64, 128)
    depth: int = 1
    hidden: tuple[int, ...] = (256, 128)
    dropout: float = 0.3


class CheckpointError(Exception):
    """A weights file is missing, damaged or not one of ours."""


def conv_block(channels_in: int, channels_out: int, depth: int) -> nn.Sequential:
    """3 x 3 convolutions with BatchNorm and ReLU, and a 2 x 2 max pool that halves height and width."""
    layers: list[nn.Module] = []
    for width in [channels_in] + [channels_out] * (depth - 1):
        convolution = nn.Conv2d(width, channels_out, kernel_size=3, padding=1)
        layers += [convolution, nn.BatchNorm2d(channels_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


class ConvNet(nn.Module):
    """`digits`: three convolution blocks and three fully connected layers, 422,474 parameters."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        widths = pairwise((1, *config.channels))
        self.blocks = nn.Sequential(*(conv_block(before, after, config.depth) for before, after in widths))
        features = config.channels[-1] * 3 * 3  # 28 px halved three times, rounded down: 14, 7, 3
        layers: list[nn.Module] = []
        for width in config.hidden:
            layers += [nn.Linear(features, width), nn.ReLU(), nn.Dropout(config.dropout)]
            features = width
        self.classifier = nn.Sequential(*layers, nn.Linear(features, len(config.labels)))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Score frames.

        Args:
            frames: (N, 1, 28, 28) float32 in [0, 1]; 1 is ink, 0 is paper.

        Returns:
            (N, len(labels)) float32 logits.
        """
        features = self.blocks(frames)  # (N, 128, 3, 3)
        return self.classifier(features.flatten(1))  # (N, 1152) -> 256 -> 128 -> labels


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def save_checkpoint(network: ConvNet, path: Path) -> None:
    """Write the weights, with the config as JSON in the file's header."""
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, path, metadata={"config": json.dumps(asdict(network.config))})


def load_checkpoint(path: Path) -> ConvNet:
    """Rebuild a network from its checkpoint, in evaluation mode on the CPU.

    Nothing is unpickled: safetensors holds plain arrays and text.

    Raises:
        CheckpointError: the file is missing, damaged, or its tensors do not fit its config.
    """
    try:
        with safe_open(path, framework="pt") as file:
            fields = json.loads((file.metadata() or {})["config"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        sequences = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        network = ConvNet(ModelConfig(**fields | sequences))
        network.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as err:
        raise CheckpointError(f"{path}: not a checkpoint of this package: {err}") from err
    return network.eval()
