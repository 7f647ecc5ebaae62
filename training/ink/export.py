"""Writes the trained ink network as the ONNX file that `handwriting.preprocess.ink_network` runs, and reads it back."""

from itertools import pairwise
from pathlib import Path

import onnx
import torch
from torch import nn
from torch.export import Dim

from handwriting.preprocess.ink_network import INPUTS, VIEW_PX
from inkserve.files import atomic_write
from training.ink.network import InkNetwork
from training.onnx_file import write_onnx_file


def export(network: InkNetwork, path: Path) -> None:
    """Write a network with a sigmoid behind it; its input is `views`, (N, INPUTS, VIEW_PX, VIEW_PX) float32."""
    views = torch.zeros(2, INPUTS, VIEW_PX, VIEW_PX)
    any_size = {0: Dim("views"), 2: 8 * Dim("rows"), 3: 8 * Dim("columns")}
    with atomic_write(path) as partial:
        write_onnx_file(nn.Sequential(network, nn.Sigmoid()).eval(), {"views": views}, partial, ["ink"], any_size)


@torch.no_grad()
def restore(path: Path, views: torch.Tensor) -> InkNetwork:
    """Read a network back, to train it further.

    The file has each BatchNorm folded into the convolution before it. They get back the means and deviations that the
    network's maps have for some views, so that training starts from what the file computes.

    Args:
        path: of a file that `export` has written.
        views: (N, INPUTS, VIEW_PX, VIEW_PX) float32, a few hundred.
    """
    stored = {tensor.name.removeprefix("0."): tensor for tensor in onnx.load(path).graph.initializer}
    network = InkNetwork().eval()
    for name, parameter in network.named_parameters():
        if name in stored:
            parameter.copy_(torch.from_numpy(onnx.numpy_helper.to_array(stored[name]).copy()))
    for name, norm in norms_of(network):
        norm.reset_running_stats()
        norm.bias.copy_(torch.from_numpy(onnx.numpy_helper.to_array(stored[f"{name}.weight_bias"]).copy()))
        norm.weight.copy_(torch.sqrt(norm.running_var + norm.eps))

    def measure(norm: nn.BatchNorm2d, inputs: tuple[torch.Tensor]) -> None:
        norm.running_mean.copy_(inputs[0].mean(dim=(0, 2, 3)))
        norm.running_var.copy_(inputs[0].var(dim=(0, 2, 3)))
        norm.weight.copy_(torch.sqrt(norm.running_var + norm.eps))
        norm.bias.add_(norm.running_mean)

    hooks = [norm.register_forward_pre_hook(measure) for _, norm in norms_of(network)]
    network(views)
    for hook in hooks:
        hook.remove()
    return network


def norms_of(network: InkNetwork) -> list[tuple[str, nn.BatchNorm2d]]:
    """Return each BatchNorm of a network with the name of the convolution before it."""
    named = list(network.named_modules())
    return [(before, norm) for (before, _), (_, norm) in pairwise(named) if isinstance(norm, nn.BatchNorm2d)]
