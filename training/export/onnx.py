"""ONNX: for ONNX Runtime, on most systems and in browsers; in float32, and with weights and activations of 8 bits."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from handwriting.preprocess import FRAME_PX, unit_frames
from handwriting.preprocess.ink_network import open_session
from training.data import data_dir, is_there, load_characters, title_of
from training.export.source import AbsentError, Predictor, Source
from training.onnx_file import set_metadata, write_onnx_file

INPUT, OUTPUT = "frames", "probabilities"
CALIBRATED = 512
# All but the softmax, whose probabilities would come in steps of 1/256
QUANTISED = ["Conv", "Gemm", "MatMul", "Add", "Relu", "MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean"]
CALIBRATION_BATCH = 64


def write_onnx(source: Source, path: Path) -> None:
    """Write a network with its weights in one file, for any batch size."""
    example = torch.rand(2, 1, FRAME_PX, FRAME_PX)
    any_size = {0: torch.export.Dim("batch")}
    write_onnx_file(source.probabilities(), {INPUT: example}, path, [OUTPUT], any_size, metadata=source.metadata)


def write_int8(source: Source, path: Path) -> None:
    """Write a network quantised to 8 bits: a scale for each output channel of a layer, and for its activations.

    The file is smaller; how much faster it runs depends on the network and the processor.

    Raises:
        AbsentError: there is no training data to calibrate on.

    Source: Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only
    inference", section 2.
    """
    frames = calibration_frames(source.normal_form)
    with tempfile.TemporaryDirectory() as folder:
        exact, prepared = Path(folder) / "float32.onnx", Path(folder) / "prepared.onnx"
        write_onnx(source, exact)
        # Symbolic shape inference needs one more package, and changes nothing here
        quant_pre_process(exact, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            path,
            Calibration(frames),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,  # with signed ones ReLUs and additions stay in float32, at half the speed
            weight_type=QuantType.QInt8,
            reduce_range=True,  # weights of 7 bits, as sums of 8-bit products saturate on x86 without VNNI
            op_types_to_quantize=QUANTISED,
            calibrate_method=CalibrationMethod.MinMax,
        )
    set_metadata(path, source.metadata)


def calibration_frames(data_set: str) -> np.ndarray:
    """Take the first CALIBRATED training frames of a data set; test frames must not be learned from.

    Returns:
        (N, 1, 28, 28) float32 in [0, 1].

    Raises:
        AbsentError: the data set is not there.
        DataError: it is damaged.
    """
    if not is_there(data_set, "train"):
        raise AbsentError(f"no {title_of(data_set, 'train')} in {data_dir()} to calibrate on; see `make data`")
    return unit_frames(load_characters(data_set, "train").take(slice(CALIBRATED)).images)


class Calibration(CalibrationDataReader):
    """Feeds frames to ONNX Runtime, which measures the range of activations on them."""

    def __init__(self, frames: np.ndarray) -> None:
        """Prepare batches.

        Args:
            frames: (N, 1, 28, 28) float32.
        """
        starts = range(0, len(frames), CALIBRATION_BATCH)
        self.batches = ({INPUT: frames[k : k + CALIBRATION_BATCH]} for k in starts)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch, or None after the last."""
        return next(self.batches, None)


def open_onnx(path: Path) -> Predictor:
    """Open a file in ONNX Runtime, on the CPU and one thread."""
    session = open_session(path)

    def predict(frames: np.ndarray) -> np.ndarray:
        return session.run([OUTPUT], {INPUT: frames})[0]

    return Predictor(predict, session.get_modelmeta().custom_metadata_map)


open_int8 = open_onnx
