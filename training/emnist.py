"""EMNIST's official files, brought to the form of this project: ByMerge, upright."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training.data import SHA256
from training.idx import DataError, check_sha256, parse_idx, write_idx

URL = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
MEMBERS = {  # of the official ZIP file, by the name that they get under DATA_DIR
    f"emnist/emnist-bymerge-{part}-{kind}-ubyte.gz": f"gzip/emnist-bymerge-{part}-{kind}-ubyte.gz"
    for part in ("test", "train")
    for kind in ("images-idx3", "labels-idx1")
}


def unpack_official(archive: Path, folder: Path) -> None:
    """Write the ByMerge files of the official ZIP file under a folder, with pictures turned upright.

    Args:
        archive: EMNIST's `gzip.zip`; its pictures are transposed.
        folder: DATA_DIR.

    Raises:
        DataError: it is no such file, is damaged, or its test set is not the known one.
    """
    (folder / "emnist").mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as members:
            for name, member in tqdm(MEMBERS.items(), desc="unpacking", unit="file", disable=None):
                content = gzip.decompress(members.read(member))
                write_upright(content, folder, name)
    except (zipfile.BadZipFile, KeyError, EOFError, OSError) as err:
        raise DataError(f"{archive} is not EMNIST's gzip.zip: {err}") from err


def write_upright(content: bytes, folder: Path, name: str) -> None:
    """Write an unpacked IDX file of the official set, checked against the known contents where they are known.

    Raises:
        DataError: they differ.
    """
    values = parse_idx(content, 3 if "images" in name else 1)
    if values.ndim > 1:
        values = np.ascontiguousarray(values.transpose(0, 2, 1))
        content = content[:16] + values.tobytes()  # the header of three sizes stays, as pictures are square
    check_sha256(name, content, SHA256.get(name))
    write_idx(folder / name, values)
