"""Writes a recogniser as the ONNX graph that ONNX Runtime scores: `python -m deploy.graph WEIGHTS GRAPH`.

`deploy.archive` does so for each archive, so that workers need neither a compiler nor ONNX's own package.
"""

import argparse
import warnings
from pathlib import Path

import torch

from handwriting.checkpoint import load_checkpoint
from handwriting.networks import Network
from handwriting.preprocess import FRAME_PX

OPSET = 17  # the first with all that the networks need


def write_graph(network: Network, path: Path) -> None:
    """Write a network in evaluation mode, from `frames`, (N, 1, 28, 28) float32, to `logits`, (N, labels) float32."""
    frames = torch.zeros(2, 1, FRAME_PX, FRAME_PX)
    with warnings.catch_warnings(), torch.no_grad():
        # PyTorch recommends its newer exporter, which takes ten seconds more, and the tests compare all logits
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (frames,),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=["frames"],
            output_names=["logits"],
            dynamic_axes={"frames": {0: "N"}, "logits": {0: "N"}},
        )


def main() -> None:
    """Write the graph of a checkpoint."""
    parser = argparse.ArgumentParser(prog="python -m deploy.graph", description=__doc__)
    parser.add_argument("weights", type=Path, help="a checkpoint, such as weights/digits-1.0.safetensors")
    parser.add_argument("graph", type=Path, help="file to write")
    options = parser.parse_args()
    write_graph(load_checkpoint(options.weights), options.graph)


if __name__ == "__main__":
    main()
