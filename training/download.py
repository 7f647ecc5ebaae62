"""Download MNIST into DATA_DIR, and if asked to, EMNIST and handwriting fonts: `make data`.

Files that are there and whole are kept. A file takes its place only when its contents are the known ones.
"""

import argparse
import gzip
import sys
from pathlib import Path

import requests
from tqdm import tqdm

from training import emnist
from training.data import SHA256, data_dir
from training.fonts.fetch import fetch_fonts
from training.fonts.render import fonts_dir, read_fonts
from training.idx import DataError, check_sha256, unpack

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist"
TIMEOUT_S = 15
CHUNK_BYTES = 1 << 16
MNIST = [name for name in SHA256 if name.startswith("mnist/")]


def is_whole(name: str) -> bool:
    """Tell whether a file of DATA_DIR is there, with the known contents where they are known."""
    try:
        check_sha256(name, unpack(data_dir() / name), SHA256.get(name))
    except DataError:
        return False
    return True


def fetch(url: str, path: Path) -> None:
    """Download a file with a progress bar; an interrupted download leaves only a `.partial` file.

    Raises:
        requests.RequestException: the network or the server failed.
        DataError: less came than was announced.
    """
    partial = path.with_suffix(".partial")
    with requests.get(url, stream=True, timeout=TIMEOUT_S) as response, partial.open("wb") as file:
        response.raise_for_status()
        total = int(response.headers.get("Content-Length", 0)) or None
        with tqdm(total=total, desc=path.name, unit="B", unit_scale=True) as progress:
            for part in response.iter_content(CHUNK_BYTES):
                file.write(part)
                progress.update(len(part))
    if total is not None and partial.stat().st_size != total:
        raise DataError(f"{url}: {partial.stat().st_size:,} bytes came of {total:,}")
    partial.replace(path)


def fetch_mnist(mirror: str, name: str) -> None:
    """Download one file of MNIST and put it in its place if it is the official one.

    Raises:
        requests.RequestException: the network or the server failed.
        DataError: the contents are not the official ones.
    """
    path = data_dir() / name
    coming = path.with_suffix(".coming")
    fetch(f"{mirror}/{path.name}", coming)
    try:
        check_sha256(name, gzip.decompress(coming.read_bytes()), SHA256[name])
    except (OSError, EOFError) as err:
        raise DataError(f"{mirror}/{path.name}: not a complete gzip file: {err}") from err
    coming.replace(path)


def fetch_emnist(url: str) -> None:
    """Download EMNIST's official ZIP file, unless a download of it is there, and unpack what is used.

    Raises:
        requests.RequestException: the network or the server failed.
        DataError: it is not the official one.
    """
    archive = data_dir() / "emnist" / "gzip.zip"
    if not archive.exists():
        fetch(url, archive)
    emnist.unpack_official(archive, data_dir())
    archive.unlink()


def has_fonts() -> bool:
    """Tell whether the fonts are there, with the known contents."""
    try:
        read_fonts()
    except DataError:
        return False
    return True


def main() -> int:
    """Download what is missing; 1 if something could not be had."""
    parser = argparse.ArgumentParser(
        prog="python -m training.download", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--emnist", action="store_true", help="EMNIST, too: ByMerge, 814,255 characters, half a gigabyte"
    )
    parser.add_argument("--mirror", default=MIRROR, help="address of the folder with MNIST's four files")
    parser.add_argument("--emnist-url", default=emnist.URL, help="address of EMNIST's gzip.zip")
    parser.add_argument("--fonts", action="store_true", help="handwriting fonts, too: 210 packages, fetched by npm")
    options = parser.parse_args()
    wanted = [*MNIST, *(emnist.MEMBERS if options.emnist else ())]
    for name in wanted:
        (data_dir() / name).parent.mkdir(parents=True, exist_ok=True)
    missing = [name for name in wanted if not is_whole(name)]
    try:
        for name in missing:
            if name in MNIST:
                fetch_mnist(options.mirror, name)
        if set(missing) & set(emnist.MEMBERS):
            fetch_emnist(options.emnist_url)
        if options.fonts and not has_fonts():
            fetch_fonts(fonts_dir())
            read_fonts()
    except (requests.RequestException, DataError) as err:
        files = "\n".join(f"  {data_dir() / name}" for name in missing if not is_whole(name))
        print(f"data: {err}\nTo go on without this download, put these files in place:\n{files}", file=sys.stderr)
        return 1
    print(f"{data_dir()}: {', '.join(['MNIST'] + ['EMNIST'] * options.emnist + ['fonts'] * options.fonts)} complete")
    return 0


if __name__ == "__main__":
    sys.exit(main())
