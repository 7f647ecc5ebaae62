"""What is exported: a version of a recogniser, with the softmax behind its network."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from handwriting.checkpoint import load_checkpoint
from handwriting.networks import Network
from training.export.errors import ExportError

INPUT, OUTPUT = "frames", "probabilities"


class Probabilities(nn.Module):
    """Turns (N, 1, 28, 28) float32 frames in [0, 1], 1 is ink, into (N, labels) float32 probabilities."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Score frames; each row adds up to 1."""
        return self.network(frames).softmax(dim=1)


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
        """What the frames look like, and the data set that has such frames."""
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


def load_source(weights: Path) -> Source:
    """Load a checkpoint.

    Raises:
        CheckpointError: it is missing or damaged.
        ExportError: it is named after another recogniser.
    """
    network = load_checkpoint(weights)
    model, _, version = weights.stem.rpartition("-")
    if model != network.config.model:
        raise ExportError(f"{weights} holds the weights of {network.config.model}; wanted {model or 'a model'}'s")
    return Source(weights, version, network)


def find_weights(folder: Path, models: Sequence[str]) -> list[Path]:
    """List the checkpoints of all versions of the models, or of all models if none is named.

    Raises:
        ExportError: there is none of a model.
    """
    checkpoints = sorted(folder.glob("*-*.safetensors"))
    by_model = {model: [each for each in checkpoints if each.stem.rpartition("-")[0] == model] for model in models}
    missing = [model for model, found in by_model.items() if not found]
    if missing or not checkpoints:
        raise ExportError(f"no weights of {', '.join(missing) or 'any recogniser'} in {folder}")
    return [each for found in by_model.values() for each in found] if models else checkpoints


def sha256(path: Path) -> str:
    """Digest of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
