"""TorchScript: for programs in C++ and for Python without our package. Deprecated by torch, which still reads it."""

import io
import json
import zipfile
from pathlib import Path

import torch

from handwriting.preprocess import FRAME_PX
from training.export.source import Predictor, Source, torch_predictor

METADATA = "metadata.json"  # an extra file inside the archive


def write_torchscript(source: Source, path: Path) -> None:
    """Trace and freeze a network, which puts BatchNorm's numbers into constants."""
    with torch.no_grad():
        traced = torch.jit.trace(source.probabilities(), torch.rand(2, 1, FRAME_PX, FRAME_PX))
        saved = io.BytesIO()
        torch.jit.save(torch.jit.freeze(traced), saved, _extra_files={METADATA: json.dumps(source.metadata)})
    drop_debug_files(saved, path)


def drop_debug_files(saved: io.BytesIO, path: Path) -> None:
    """Copy an archive without the stack traces of its making, which name the folders of who made it."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                new.writestr(zipfile.ZipInfo(entry.filename), old.read(entry))


def open_torchscript(path: Path) -> Predictor:
    """Open a file with nothing but torch."""
    files = {METADATA: ""}
    module = torch.jit.load(str(path), _extra_files=files)
    return torch_predictor(module, json.loads(files[METADATA]))
