"""What is exported: a version of a recogniser; and how an exported file is run, the same for all formats.

ExportError           an export cannot be made or used
├── AbsentError       a package or the data that it needs is not installed or not there
├── DamagedError      a file is missing, is not what its card says, or was made from other weights
└── ParityError       the output differs from that of torch
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from handwriting.checkpoint import CheckpointError, load_checkpoint
from handwriting.networks import Network
from handwriting.preprocess import unit_frames
from inkserve.command import CommandError

BATCH = 500  # frames at once, where speed is not measured


class ExportError(CommandError):
    """An export cannot be made or used."""


class AbsentError(ExportError):
    """A format cannot be made or read here, because a package or the data is missing."""


class DamagedError(ExportError):
    """A file is missing, or is not what its card says it is."""


class ParityError(ExportError):
    """The output of an export differs from that of torch."""


@dataclass(frozen=True)
class Predictor:
    """An opened export.

    Attributes:
        predict: (N, 1, 28, 28) float32 frames, N at least 1, to (N, labels) float32 probabilities, on one thread.
        metadata: as stored in the file; see Source.metadata.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    metadata: Mapping[str, str]

    def predict_all(self, images: np.ndarray, title: str) -> np.ndarray:
        """Predict (N, 28, 28) uint8 images, BATCH at a time, with a progress bar on terminals."""
        parts = tqdm(range(0, len(images), BATCH), desc=title, unit="batch", disable=None)
        return np.concatenate([self.predict(unit_frames(images[k : k + BATCH])) for k in parts])


@dataclass(frozen=True)
class Source:
    """A version of a recogniser.

    Attributes:
        weights: its checkpoint, `<model>-<version>.safetensors`.
        version: MAJOR.MINOR.
        network: in evaluation mode, on the CPU.
    """

    weights: Path
    version: str
    network: Network

    @property
    def name(self) -> str:
        """Model and version, as in the names of files."""
        return self.weights.stem

    @property
    def normal_form(self) -> str:
        """Normal form of the frames, which is also the name of the data set with such frames."""
        return self.network.config.normal_form

    @property
    def metadata(self) -> dict[str, str]:
        """What every export carries inside: model, version, labels as a JSON list, normal form."""
        return {
            "model": self.network.config.model,
            "version": self.version,
            "labels": json.dumps(self.network.config.labels),
            "normal_form": self.normal_form,
        }

    def probabilities(self) -> nn.Module:
        """Return the network with a softmax: (N, 1, 28, 28) float32 frames to (N, labels) float32 probabilities."""
        return nn.Sequential(self.network, nn.Softmax(dim=1)).eval()

    def predictor(self) -> Predictor:
        """Return torch with the checkpoint, as the server runs it: the reference for all exports."""
        return torch_predictor(self.probabilities(), self.metadata)


def torch_predictor(module: nn.Module, metadata: Mapping[str, str]) -> Predictor:
    """Make a predictor of a module that returns probabilities."""

    @torch.inference_mode()
    def predict(frames: np.ndarray) -> np.ndarray:
        return module(torch.from_numpy(frames)).numpy()

    return Predictor(predict, metadata)


def load_source(weights: Path) -> Source:
    """Load a checkpoint.

    Raises:
        ExportError: it is missing, damaged, or named after another recogniser.
    """
    try:
        network = load_checkpoint(weights)
    except CheckpointError as err:
        raise ExportError(str(err)) from err
    model, _, version = weights.stem.rpartition("-")
    if model != network.config.model:
        raise ExportError(f"{weights} holds the weights of {network.config.model}; wanted {model or 'a model'}'s")
    return Source(weights, version, network)


def find_weights(folder: Path, models: Sequence[str]) -> list[Path]:
    """List the checkpoints of all versions of the models, or of all models if none is named.

    Raises:
        ExportError: a model has none.
    """
    checkpoints = [(path.stem.rpartition("-")[0], path) for path in sorted(folder.glob("*-*.safetensors"))]
    found = [(model, path) for model, path in checkpoints if model in (models or [model])]
    missing = set(models) - {model for model, _ in found}
    if missing or not found:
        raise ExportError(f"no weights of {', '.join(sorted(missing)) or 'any recogniser'} in {folder}")
    return [path for _, path in found]
