"""The networks of the recognisers, by the name of their architecture."""

from torch import nn

from handwriting.networks.base import ModelConfig, Network
from handwriting.networks.conv import ConvNet
from handwriting.networks.lenet import LeNet5
from handwriting.networks.mobile import MobileNet
from handwriting.networks.residual import ResidualNet
from handwriting.networks.tiny import TinyNet

__all__ = ["ARCHITECTURES", "ModelConfig", "Network", "build_network", "count_parameters"]

ARCHITECTURES: dict[str, type[Network]] = {
    network.__name__: network for network in (ConvNet, LeNet5, MobileNet, ResidualNet, TinyNet)
}


def build_network(config: ModelConfig) -> Network:
    """Build the network of a config, with random weights.

    Raises:
        KeyError: unknown architecture.
        TypeError: the architecture has no such keyword argument.
    """
    return ARCHITECTURES[config.architecture](config, **config.sizes)


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
