"""ONNX: for ONNX Runtime, on most systems and in browsers."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from handwriting.preprocess import FRAME_PX
from training.export.reader import Reader
from training.export.source import INPUT, OUTPUT, Probabilities, Source


def write(source: Source, path: Path) -> None:
    """Write a network with its weights in one file, for any batch size."""
    torch.onnx.export(
        Probabilities(source.network).eval(),
        (torch.rand(2, 1, FRAME_PX, FRAME_PX),),
        path,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    add_metadata(source, path)


def add_metadata(source: Source, path: Path) -> None:
    """Put the metadata into a file's `metadata_props`, and take the stack traces of its making out.

    Those would make a small network's file nearly twice as large, and name the folders of who made it.
    """
    model = onnx.load(path)
    onnx.helper.set_model_props(model, source.metadata)
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def open_reader(path: Path) -> Reader:
    """Open a file in ONNX Runtime, on the CPU and one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def predict(frames: np.ndarray) -> np.ndarray:
        return session.run([OUTPUT], {INPUT: frames})[0]

    return Reader(predict, session.get_modelmeta().custom_metadata_map)
