"""ExecuTorch with XNNPACK: for apps on phones and small boards."""

import json
from pathlib import Path

import numpy as np
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.extension.pybindings import portable_lib
from executorch.runtime import Runtime

from handwriting.preprocess import FRAME_PX
from training.export.source import Predictor, Probabilities, Source

MAX_BATCH = 64  # memory for so many frames is planned in advance


def write(source: Source, path: Path) -> None:
    """Write a network for any batch size up to MAX_BATCH; its method `metadata` returns the metadata as JSON."""
    # ExecuTorch 1.5 plans memory for the larger of the example and 15, whatever the bound says: give the largest batch
    example = torch.rand(MAX_BATCH, 1, FRAME_PX, FRAME_PX)
    batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
    program = torch.export.export(
        Probabilities(source.network).eval(), (example,), dynamic_shapes=({0: batch},), strict=False
    )
    edge = to_edge_transform_and_lower(
        program,
        partitioner=[XnnpackPartitioner()],
        constant_methods={"metadata": json.dumps(source.metadata)},
    )
    path.write_bytes(edge.to_executorch().buffer)


def open_file(path: Path) -> Predictor:
    """Open a file in ExecuTorch's runtime; larger batches than its largest are split."""
    if portable_lib._threadpool_get_thread_count() != 1:
        portable_lib._unsafe_reset_threadpool(1)  # the only way there is, and not with methods open on the old pool
    program = Runtime.get().load_program(path)
    method = program.load_method("forward")

    def predict(frames: np.ndarray) -> np.ndarray:
        parts = torch.from_numpy(frames).split(MAX_BATCH)
        return np.concatenate([method.execute([part])[0].numpy() for part in parts])

    return Predictor(predict, json.loads(program.load_method("metadata").execute([])[0]))
