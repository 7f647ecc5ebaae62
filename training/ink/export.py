"""Writes the trained ink network as the ONNX file that `handwriting.preprocess.ink_network` runs."""

import warnings
from pathlib import Path

import torch
from torch import nn

from handwriting.preprocess.ink_network import VIEW_PX
from inkserve.files import atomic_write
from training.ink.network import InkNetwork


def export(network: InkNetwork, path: Path) -> None:
    """Write a network with a sigmoid behind it; its input is `views`, (N, 2, VIEW_PX, VIEW_PX) float32."""
    whole = nn.Sequential(network, nn.Sigmoid()).eval()
    views = torch.zeros(2, 2, VIEW_PX, VIEW_PX)
    with atomic_write(path) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch about its own code
        torch.onnx.export(
            whole,
            (views,),
            partial,
            input_names=["views"],
            output_names=["ink"],
            dynamic_shapes=(
                {0: torch.export.Dim("views"), 2: 8 * torch.export.Dim("rows"), 3: 8 * torch.export.Dim("columns")},
            ),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
