"""Writes the trained ink network as the ONNX file that `handwriting.preprocess.ink_network` runs."""

from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

from handwriting.preprocess.ink_network import VIEW_PX
from inkserve.files import atomic_write
from training.ink.network import InkNetwork
from training.onnx_file import write_onnx_file


def export(network: InkNetwork, path: Path) -> None:
    """Write a network with a sigmoid behind it; its input is `views`, (N, 2, VIEW_PX, VIEW_PX) float32."""
    views = torch.zeros(2, 2, VIEW_PX, VIEW_PX)
    any_size = {0: Dim("views"), 2: 8 * Dim("rows"), 3: 8 * Dim("columns")}
    with atomic_write(path) as partial:
        write_onnx_file(nn.Sequential(network, nn.Sigmoid()).eval(), {"views": views}, partial, ["ink"], any_size)
