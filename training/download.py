"""Download MNIST into DATA_DIR: `make data`.

Files that are there and whole are kept. A file takes its place only when its contents have the official sha256.
"""

import argparse
import gzip
import sys
from pathlib import Path

import requests
from tqdm import tqdm

from training.data import SHA256, data_dir
from training.idx import DataError, check_sha256, unpack

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist"
TIMEOUT_S = 15
CHUNK_BYTES = 1 << 16
MNIST = [Path(name).name for name in SHA256 if name.startswith("mnist/")]


def is_whole(path: Path) -> bool:
    """Tell whether a file is there with the official contents."""
    try:
        check_sha256(path.name, unpack(path), SHA256[f"mnist/{path.name}"])
    except DataError:
        return False
    return True


def fetch(url: str, path: Path) -> None:
    """Download a file, check its contents and put it in its place.

    Raises:
        requests.RequestException: the network or the server failed.
        DataError: the contents are not the official ones.
    """
    with requests.get(url, stream=True, timeout=TIMEOUT_S) as response:
        response.raise_for_status()
        total = int(response.headers.get("Content-Length", 0)) or None
        with tqdm(total=total, desc=path.name, unit="B", unit_scale=True) as progress:
            parts = []
            for part in response.iter_content(CHUNK_BYTES):
                parts.append(part)
                progress.update(len(part))
    content = b"".join(parts)
    try:
        check_sha256(path.name, gzip.decompress(content), SHA256[f"mnist/{path.name}"])
    except (OSError, EOFError) as err:
        raise DataError(f"{url}: not a complete gzip file: {err}") from err
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)


def main() -> int:
    """Download what is missing; 1 if something could not be had."""
    parser = argparse.ArgumentParser(
        prog="python -m training.download", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--mirror", default=MIRROR, help="address of the folder with the four files")
    mirror = parser.parse_args().mirror
    folder = data_dir() / "mnist"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in MNIST if not is_whole(folder / name)]
    try:
        for name in missing:
            fetch(f"{mirror}/{name}", folder / name)
    except (requests.RequestException, DataError) as err:
        wanted = "\n".join(f"  {folder / name}" for name in missing if not is_whole(folder / name))
        print(f"data: {err}\nTo go on without this mirror, put these files in place:\n{wanted}", file=sys.stderr)
        return 1
    print(f"{folder}: MNIST is complete")
    return 0


if __name__ == "__main__":
    sys.exit(main())
