"""ONNX with weights and activations of 8 bits: fewer bytes; how much faster depends on network and processor."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from training.export import onnx
from training.export.frames import calibration_frames
from training.export.source import INPUT, Source

open_reader = onnx.open_reader

# All but the softmax, whose probabilities would come in steps of 1/256
QUANTISED = ["Conv", "Gemm", "MatMul", "Add", "Relu", "MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean"]
CALIBRATION_BATCH = 64


class Calibration(CalibrationDataReader):
    """Hands out frames, so that ONNX Runtime sees how large activations get.

    Args:
        frames: (N, 1, 28, 28) float32.
    """

    def __init__(self, frames: np.ndarray) -> None:
        parts: Iterator[int] = iter(range(0, len(frames), CALIBRATION_BATCH))
        self.batches = ({INPUT: frames[k : k + CALIBRATION_BATCH]} for k in parts)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch, or None after the last."""
        return next(self.batches, None)


def write(source: Source, path: Path) -> None:
    """Write a network with a scale for each output channel of a layer, and for each layer's activations.

    Raises:
        AbsentError: there is no training data to calibrate on.

    Source: Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only
    inference", section 2.
    """
    frames = calibration_frames(source.normal_form)
    with tempfile.TemporaryDirectory() as folder:
        exact, prepared = Path(folder) / "float32.onnx", Path(folder) / "prepared.onnx"
        onnx.write(source, exact)
        quant_pre_process(exact, prepared, skip_symbolic_shape=True)  # that needs a package more, for no other result
        quantize_static(
            prepared,
            path,
            Calibration(frames),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,  # signed ones leave ReLUs and additions in float32, at half the speed
            weight_type=QuantType.QInt8,
            reduce_range=True,  # weights of 7 bits, as sums of 8-bit products saturate on x86 without VNNI
            op_types_to_quantize=QUANTISED,
            calibrate_method=CalibrationMethod.MinMax,
        )
    onnx.add_metadata(source, path)
