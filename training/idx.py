"""IDX files, the format of MNIST and EMNIST."""

import gzip
import hashlib
from pathlib import Path

import numpy as np

from inkserve.command import CommandError

IDX_MAGIC = {1: 0x0801, 3: 0x0803}  # 0x08 is uint8, then the number of dimensions


class DataError(CommandError):
    """A data file is missing or is not what it should be."""


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


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write (N,) or (N, H, W) uint8 values as a gzipped IDX file; a kill leaves the old file or the new one."""
    header = np.array([IDX_MAGIC[values.ndim], *values.shape], dtype=">u4").tobytes()
    partial = path.with_suffix(".partial")
    partial.write_bytes(gzip.compress(header + values.tobytes(), mtime=0))
    partial.replace(path)


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
