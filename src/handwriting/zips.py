"""Reads untrusted ZIP files: leaves out what is no picture, and unpacks within limits."""

import struct
import zipfile
from pathlib import PurePosixPath

from handwriting.errors import ImageTooLarge, InvalidRequest
from handwriting.preprocess import MAX_BYTES

SAFE_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Python unpacks the others without a limit
# Raised by Python for damaged ZIP files; IndexError for an encrypted file without a name
BAD_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, IndexError)
# Files that lie beside pictures, and are none: of systems, and lists of labels and other text
SYSTEM_FILES = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")
OTHER_SUFFIXES = (
    ".csv", ".tsv", ".txt", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".md", ".html", ".htm", ".log",
    ".db", ".xls", ".xlsx", ".ods", ".py", ".ipynb", ".parquet",
)  # fmt: skip


def is_folder(info: zipfile.ZipInfo) -> bool:
    """Tell whether an entry is a folder; Python's `is_dir` fails for an empty name."""
    return info.filename.endswith("/")


def is_hidden(name: str) -> bool:
    """Tell whether a file lies in a hidden folder or macOS's `__MACOSX`, or is hidden itself."""
    return any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in PurePosixPath(name).parts)


def is_left_out(name: str) -> bool:
    """Tell by its name whether a file that lies among pictures is none: hidden, of a system, or a list or text."""
    lower = name.lower()
    return is_hidden(name) or PurePosixPath(lower).name in SYSTEM_FILES or lower.endswith(OTHER_SUFFIXES)


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Unpack a file, up to its declared size.

    Raises:
        InvalidRequest: compressed with a method that Python cannot stop at a limit.
        ImageTooLarge: the declared size is over MAX_BYTES.
        zipfile.BadZipFile: damaged.
        RuntimeError: encrypted.
    """
    if info.compress_type not in SAFE_METHODS:
        raise InvalidRequest(f"its packing method is {info.compress_type}; wanted stored (0) or deflated (8)")
    if info.file_size > MAX_BYTES:
        raise ImageTooLarge(f"it has {info.file_size:,} bytes unpacked; at most {MAX_BYTES:,}")
    with archive.open(info) as file:
        return file.read(info.file_size + 1)  # one byte more, so that a false size is an error
