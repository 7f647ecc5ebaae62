"""ZIP files from strangers: which files in them count, and how to unpack one within limits."""

import struct
import zipfile
from pathlib import PurePosixPath

from handwriting.errors import ImageTooLarge, InvalidRequest
from handwriting.preprocess import MAX_BYTES

SAFE_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Python inflates the others without a limit
# What Python raises on damaged ZIP files; IndexError where an encrypted one has no name
BAD_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, IndexError)


def is_folder(info: zipfile.ZipInfo) -> bool:
    """Tell whether an entry is a folder; Python's own `is_dir` fails on an empty name."""
    return info.filename.endswith("/")


def is_hidden(name: str) -> bool:
    """Tell whether a file or a folder around it is hidden, or the Mac's `__MACOSX`."""
    return any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in PurePosixPath(name).parts)


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Unpack a file, up to the size that it says.

    Raises:
        InvalidRequest: packed with a method that cannot be stopped at a limit.
        ImageTooLarge: it says that it is over MAX_BYTES.
        zipfile.BadZipFile: damaged.
        RuntimeError: encrypted.
    """
    if info.compress_type not in SAFE_METHODS:
        raise InvalidRequest(f"its packing method is {info.compress_type}; wanted stored (0) or deflated (8)")
    if info.file_size > MAX_BYTES:
        raise ImageTooLarge(f"it has {info.file_size:,} bytes unpacked; at most {MAX_BYTES:,}")
    with archive.open(info) as file:
        return file.read(info.file_size + 1)  # and no more is unpacked, whatever the file holds
