"""MNIST as arrays: read from IDX files in DATA_DIR, checked against the official contents."""

import gzip
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from handwriting.preprocess import FRAME_PX, unit_frames

IDX_MAGIC = {1: 0x0801, 3: 0x0803}  # 0x08 is uint8, then the number of dimensions

# sha256 of the unpacked contents: the gzip wrapping differs between mirrors, the data does not
MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class DataError(Exception):
    """A data file is missing or is not what it should be."""


@dataclass(frozen=True)
class Characters:
    """Labelled frames: (N, 28, 28) uint8, 255 is ink, and (N,) int64 class indices."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray | slice) -> "Characters":
        """Return the characters in the given rows."""
        return Characters(self.images[rows], self.labels[rows])


def data_dir() -> Path:
    """Folder of the data sets: DATA_DIR, or `data` in the working directory."""
    return Path(os.environ.get("DATA_DIR", "data"))


def parse_idx(content: bytes, dimensions: int) -> np.ndarray:
    """Read an unpacked IDX file of unsigned bytes.

    Raises:
        DataError: the header is not that of a uint8 file with so many dimensions, or the length differs.

    Source: LeCun, Cortes and Burges, "The MNIST database", file formats.
    """
    header = np.frombuffer(content[: 4 * (1 + dimensions)].ljust(4 * (1 + dimensions), b"\0"), dtype=">u4")
    if header[0] != IDX_MAGIC[dimensions]:
        raise DataError(f"not an IDX file of {dimensions} dimensions: it starts with {content[:4].hex()!r}")
    values = np.frombuffer(content[header.nbytes :], dtype=np.uint8)
    shape = tuple(int(size) for size in header[1:])
    if values.size != np.prod(shape):
        raise DataError(f"IDX file says {shape}, but holds {values.size} values")
    return values.reshape(shape)


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read a gzipped IDX file and check its contents against the official sha256.

    Raises:
        DataError: the file is missing, damaged, or its contents are not the official ones.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError as err:
        raise DataError(f"{path} is missing: run `make data`, or set DATA_DIR to the folder that has mnist/") from err
    except (OSError, EOFError) as err:
        raise DataError(f"{path}: not a complete gzip file: {err}") from err
    check_sha256(path.name, content)
    return parse_idx(content, dimensions)


def check_sha256(name: str, content: bytes) -> None:
    """Compare unpacked contents with the official ones.

    Raises:
        DataError: they differ.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != MNIST_SHA256[name]:
        raise DataError(f"{name}: sha256 of the contents is {found}, wanted {MNIST_SHA256[name]}")


def load_mnist(part: str) -> Characters:
    """Load MNIST.

    Args:
        part: "train" (60,000 digits) or "t10k" (the 10,000 test digits).
    """
    folder = data_dir() / "mnist"
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz", 3)
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 1)
    if images.shape[1:] != (FRAME_PX, FRAME_PX) or len(images) != len(labels):
        raise DataError(f"MNIST {part}: images {images.shape} do not fit labels {labels.shape}")
    return Characters(images, labels.astype(np.int64))


def hold_out(characters: Characters, count: int, seed: int) -> tuple[Characters, Characters]:
    """Split off `count` characters, drawn at random, for choosing hyperparameters.

    Returns:
        (the rest, the held-out characters); either may be empty.
    """
    order = np.random.default_rng(seed).permutation(len(characters))
    return characters.take(np.sort(order[count:])), characters.take(np.sort(order[:count]))


def to_tensors(characters: Characters) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn characters into what the network takes, by the same function as the handler.

    Returns:
        (N, 1, 28, 28) float32 frames in [0, 1], 1 is ink; (N,) int64 class indices.
    """
    return torch.from_numpy(unit_frames(characters.images)), torch.from_numpy(characters.labels)
