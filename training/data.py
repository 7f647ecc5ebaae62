"""MNIST and EMNIST as arrays: read from IDX files in DATA_DIR, whose contents are checked against known digests.

A folder with another data set in the same layout has a manifest.json with its title and digests, such as that of the
tests. Cards and results then carry that title.
"""

import gzip
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from handwriting.preprocess import FRAME_PX
from inkserve.command import CommandError
from inkserve.files import atomic_write
from training.card import Record

# sha256 of the unpacked contents: the gzip wrapping differs between mirrors, the data does not
SHA256 = {
    "mnist/train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "mnist/train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "mnist/t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "mnist/t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "emnist/emnist-train-images-idx3-ubyte.gz": "e7866db63e1f18120c4ee9cf76e7a229c75136f5d0b561888d6845dc8bbeb5db",
    "emnist/emnist-train-labels-idx1-ubyte.gz": "8e3e52574faad1d5e797553c05b614b6e3fccd3d9322070f3282177f4bb9e22c",
    "emnist/emnist-bymerge-test-images-idx3-ubyte.gz": (
        "b83491f90f47fecffad3c3b699274dd674d3e139c855a9b3c89a64c298ac587c"
    ),
    "emnist/emnist-bymerge-test-labels-idx1-ubyte.gz": (
        "17b8bd69b4e584fa425d7268b1f58882ef4bf7f241a6116fa606bb6d36839b5a"
    ),
}
MANIFEST = "manifest.json"
IDX_MAGIC = {1: 0x0801, 3: 0x0803}  # 0x08 is uint8, then the number of dimensions

# Title, and names of files: the first that exists is used. EMNIST's pictures are upright here; in the official files
# they are transposed.
PARTS = {
    ("mnist", "train"): ("MNIST train", ["mnist/train"]),
    ("mnist", "test"): ("MNIST test", ["mnist/t10k"]),
    ("emnist", "train"): ("EMNIST train", ["emnist/emnist-train", "emnist/emnist-bymerge-train"]),
    ("emnist", "test"): ("EMNIST ByMerge test", ["emnist/emnist-bymerge-test"]),
}


class DataError(CommandError):
    """A data file is missing, damaged, or not the known one."""


@dataclass(frozen=True)
class Manifest(Record):
    """What DATA_DIR holds in place of MNIST and EMNIST.

    Attributes:
        title: of the data set.
        sha256: of the unpacked contents of each file, by its name in DATA_DIR.
    """

    title: str
    sha256: Mapping[str, str]


@dataclass(frozen=True)
class Characters:
    """Labelled frames.

    Attributes:
        images: (N, 28, 28) uint8, 255 is ink.
        labels: (N,) int64 class indices.
        files: sha256 of the unpacked contents of the files they come from, by name.
    """

    images: np.ndarray
    labels: np.ndarray
    files: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray | slice) -> "Characters":
        """Return the characters in the given rows."""
        return Characters(self.images[rows], self.labels[rows], self.files)

    def join(self, others: "Characters") -> "Characters":
        """Return these characters and others after them."""
        images, labels = (np.concatenate(both) for both in ((self.images, others.images), (self.labels, others.labels)))
        return Characters(images, labels, dict(self.files) | dict(others.files))


def data_dir() -> Path:
    """Folder of the data sets: DATA_DIR, or `data` in the working directory."""
    return Path(os.environ.get("DATA_DIR", "data"))


def own_manifest() -> Manifest | None:
    """Read the manifest of DATA_DIR; None where the official data sets are expected.

    Raises:
        CardError: it is not a manifest.
    """
    path = data_dir() / MANIFEST
    return Manifest.read(path) if path.exists() else None


def title_of(data_set: str, part: str) -> str:
    """Return the title of a part of a data set, such as "MNIST test"."""
    own, title = own_manifest(), PARTS[data_set, part][0]
    return title if own is None else f"{own.title} in place of {title}"


def is_there(data_set: str, part: str) -> bool:
    """Tell whether DATA_DIR has a part of a data set; its contents are checked when it is loaded."""
    return any((data_dir() / f"{stem}-images-idx3-ubyte.gz").exists() for stem in PARTS[data_set, part][1])


def load_characters(data_set: str, part: str) -> Characters:
    """Load a part of a data set.

    Args:
        data_set: "mnist" (60,000 and 10,000 digits) or "emnist" (47 classes; 116,323 characters in the test part).
        part: "train" or "test".

    Raises:
        DataError: a file is missing, damaged, or its contents are not the known ones.
    """
    stems = PARTS[data_set, part][1]
    stem = next((each for each in stems if (data_dir() / f"{each}-images-idx3-ubyte.gz").exists()), stems[0])
    images, images_file = read_idx(f"{stem}-images-idx3-ubyte.gz", 3)
    labels, labels_file = read_idx(f"{stem}-labels-idx1-ubyte.gz", 1)
    if images.shape[1:] != (FRAME_PX, FRAME_PX) or len(images) != len(labels):
        raise DataError(f"{stem}: images {images.shape} do not fit labels {labels.shape}")
    return Characters(images, labels.astype(np.int64), images_file | labels_file)


def read_idx(name: str, dimensions: int) -> tuple[np.ndarray, dict[str, str]]:
    """Read a gzipped IDX file in DATA_DIR and check its contents against the known sha256.

    The official training part of EMNIST has no known one. A manifest must list each file.

    Returns:
        its values; {name: sha256}.

    Raises:
        DataError: the file is missing, damaged, or its contents are not the known ones.
    """
    own = own_manifest()
    if own is not None and name not in own.sha256:
        raise DataError(f"{data_dir() / MANIFEST} does not list {name}")
    content = unpack(data_dir() / name)
    digest = check_sha256(name, content, (SHA256 if own is None else own.sha256).get(name))
    return parse_idx(content, dimensions), {name: digest}


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


def write_idx(path: Path, values: np.ndarray) -> str:
    """Write (N,) or (N, H, W) uint8 values as a gzipped IDX file, and return the sha256 of the unpacked contents."""
    content = np.array([IDX_MAGIC[values.ndim], *values.shape], dtype=">u4").tobytes() + values.tobytes()
    with atomic_write(path) as partial:
        partial.write_bytes(gzip.compress(content, mtime=0))
    return hashlib.sha256(content).hexdigest()


def unpack(path: Path) -> bytes:
    """Read and unpack a gzip file.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        return gzip.decompress(path.read_bytes())
    except FileNotFoundError as err:
        raise DataError(f"{path} is missing: run `make data`, or set DATA_DIR to the folder with the data") from err
    except (OSError, EOFError) as err:
        raise DataError(f"{path}: not a complete gzip file: {err}") from err


def check_sha256(name: str, content: bytes, wanted: str | None) -> str:
    """Compare contents with the wanted digest, if there is one, and return the digest found.

    Raises:
        DataError: they differ.
    """
    found = hashlib.sha256(content).hexdigest()
    if wanted not in {None, found}:
        raise DataError(f"{name}: sha256 of the contents is {found}, wanted {wanted}")
    return found


def hold_out(characters: Characters, count: int, seed: int) -> tuple[Characters, Characters]:
    """Split off `count` characters, drawn at random, for choosing hyperparameters.

    Returns:
        (the rest, the held-out characters); either may be empty.
    """
    order = np.random.default_rng(seed).permutation(len(characters))
    return characters.take(np.sort(order[count:])), characters.take(np.sort(order[:count]))
