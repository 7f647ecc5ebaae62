"""ONNX files as PyTorch's exporter writes them, without what it tells about the machine that made them."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn


def write_onnx_file(  # noqa: PLR0913 - what the exporter has to know
    module: nn.Module,
    examples: Mapping[str, torch.Tensor],
    path: Path,
    outputs: Sequence[str],
    dynamic_shape: Mapping[int, Any] | None = None,
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a network with its weights in one file.

    Args:
        module: in evaluation mode.
        examples: an input of each name.
        path: of the file.
        outputs: names of the outputs.
        dynamic_shape: of the only input, a `torch.export.Dim` for each dimension that may have any size.
        metadata: of the file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch about its own code
        torch.onnx.export(
            module,
            tuple(examples.values()),
            path,
            input_names=list(examples),
            output_names=list(outputs),
            dynamic_shapes=(dict(dynamic_shape),) if dynamic_shape else None,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    set_metadata(path, metadata or {})


def set_metadata(path: Path, metadata: Mapping[str, str]) -> None:
    """Put metadata into the `metadata_props` of a file, and remove the stack traces of the exporter.

    Those nearly double the size of a small network's file, and name folders of the machine that made it.
    """
    model = onnx.load(path)
    onnx.helper.set_model_props(model, dict(metadata))
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
