"""Download MNIST into DATA_DIR, and EMNIST and handwriting fonts on request: `make data`.

Complete files are kept. A file takes its place only when its contents are the known ones.
"""

import argparse
import gzip
import sys
import zipfile
from pathlib import Path

import numpy as np
import requests
from tqdm import tqdm

from inkserve.command import CommandError, run
from inkserve.files import atomic_write
from training.data import SHA256, DataError, check_sha256, data_dir, parse_idx, unpack, write_idx
from training.fonts.fetch import fetch_fonts
from training.fonts.render import fonts_dir, read_fonts

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist"
EMNIST_URL = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
TIMEOUT_S = 15
CHUNK_BYTES = 1 << 16
MNIST = [name for name in SHA256 if name.startswith("mnist/")]
EMNIST = {  # path in the official ZIP file, by the name under DATA_DIR
    f"emnist/emnist-bymerge-{part}-{kind}-ubyte.gz": f"gzip/emnist-bymerge-{part}-{kind}-ubyte.gz"
    for part in ("test", "train")
    for kind in ("images-idx3", "labels-idx1")
}


def is_complete(name: str) -> bool:
    """Tell whether DATA_DIR has a file, with the known contents where these are known."""
    try:
        check_sha256(name, unpack(data_dir() / name), SHA256.get(name))
    except DataError:
        return False
    return True


def fetch(url: str, path: Path) -> None:
    """Download a file with a progress bar; it appears whole or not at all.

    Raises:
        requests.RequestException: the network or the server failed.
        DataError: fewer bytes came than were announced.
    """
    with atomic_write(path) as partial:
        with requests.get(url, stream=True, timeout=TIMEOUT_S) as response, partial.open("wb") as file:
            response.raise_for_status()
            total = int(response.headers.get("Content-Length", 0)) or None
            with tqdm(total=total, desc=path.name, unit="B", unit_scale=True) as progress:
                for part in response.iter_content(CHUNK_BYTES):
                    file.write(part)
                    progress.update(len(part))
        if total is not None and partial.stat().st_size != total:
            raise DataError(f"{url}: {partial.stat().st_size:,} bytes came of {total:,}")


def fetch_mnist(mirror: str, name: str) -> None:
    """Download one file of MNIST, and keep it if it is the official one.

    Raises:
        requests.RequestException: the network or the server failed.
        DataError: the contents are not the official ones.
    """
    path = data_dir() / name
    downloaded = path.with_suffix(".downloaded")
    fetch(f"{mirror}/{path.name}", downloaded)
    try:
        check_sha256(name, gzip.decompress(downloaded.read_bytes()), SHA256[name])
    except (OSError, EOFError) as err:
        raise DataError(f"{mirror}/{path.name}: not a complete gzip file: {err}") from err
    downloaded.replace(path)


def fetch_emnist(url: str) -> None:
    """Download EMNIST's official ZIP file, unless an earlier download is left, and unpack the ByMerge files.

    Raises:
        requests.RequestException: the network or the server failed.
        DataError: it is not the official one.
    """
    archive = data_dir() / "emnist" / "gzip.zip"
    if not archive.exists():
        fetch(url, archive)
    try:
        with zipfile.ZipFile(archive) as members:
            for name, member in tqdm(EMNIST.items(), desc="unpacking", unit="file", disable=None):
                write_upright(gzip.decompress(members.read(member)), name)
    except (zipfile.BadZipFile, KeyError, EOFError, OSError) as err:
        raise DataError(f"{archive} is not EMNIST's gzip.zip: {err}") from err
    archive.unlink()


def write_upright(content: bytes, name: str) -> None:
    """Write an unpacked IDX file of the official EMNIST under DATA_DIR, with its pictures turned upright.

    Args:
        content: of the official file, whose pictures are transposed.
        name: that the file gets.

    Raises:
        DataError: the result is not the known one.
    """
    values = parse_idx(content, 3 if "images" in name else 1)
    if values.ndim > 1:
        values = np.ascontiguousarray(values.transpose(0, 2, 1))
        content = content[:16] + values.tobytes()  # pictures are square, so the header with three sizes stays
    check_sha256(name, content, SHA256.get(name))
    write_idx(data_dir() / name, values)


def has_fonts() -> bool:
    """Tell whether DATA_DIR has the fonts, with the known contents."""
    try:
        read_fonts()
    except DataError:
        return False
    return True


def main(arguments: list[str] | None = None) -> None:
    """Download what is missing.

    Raises:
        CommandError: a download failed; the message lists the files to put in place by hand.
    """
    parser = argparse.ArgumentParser(
        prog="python -m training.download", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--emnist", action="store_true", help="also EMNIST ByMerge: 814,255 characters, a download of half a gigabyte"
    )
    parser.add_argument("--mirror", default=MIRROR, help="address of the folder with MNIST's four files")
    parser.add_argument("--emnist-url", default=EMNIST_URL, help="address of EMNIST's gzip.zip")
    parser.add_argument("--fonts", action="store_true", help="also handwriting fonts: 210 packages, fetched by npm")
    options = parser.parse_args(arguments)
    wanted = [*MNIST, *(EMNIST if options.emnist else ())]
    missing = [name for name in wanted if not is_complete(name)]
    try:
        for name in missing:
            if name in MNIST:
                fetch_mnist(options.mirror, name)
        if set(missing) & set(EMNIST):
            fetch_emnist(options.emnist_url)
        if options.fonts and not has_fonts():
            fetch_fonts(fonts_dir())
            read_fonts()
    except (requests.RequestException, DataError) as err:
        files = "".join(f"\n  {data_dir() / name}" for name in missing if not is_complete(name))
        by_hand = f"\nTo continue without this download, put these files in place:{files}" if files else ""
        raise CommandError(f"{err}{by_hand}") from err
    print(f"{data_dir()}: {', '.join(['MNIST'] + ['EMNIST'] * options.emnist + ['fonts'] * options.fonts)} complete")


if __name__ == "__main__":
    sys.exit(run("data", main))
