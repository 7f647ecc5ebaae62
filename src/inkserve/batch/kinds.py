"""Which files are pictures, by their first bytes, and why others are left out."""

import re
from pathlib import PurePosixPath

START_BYTES = 32  # of a file that are looked at
SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".heic",
    ".heif", ".avif", ".jp2", ".j2k", ".pbm", ".pgm", ".ppm", ".pnm", ".ico", ".pdf",
)  # fmt: skip
STARTS = (
    b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+", b"%PDF-",
    b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51", b"\x00\x00\x01\x00",
)  # fmt: skip
SHAPED = re.compile(rb"RIFF....WEBP|....ftyp(?:hei[cmsx]|hev[cx]|mif1|msf1|avi[fs])|P[1-6]\s", re.DOTALL)
# As handwriting.zips leaves them out on the server; a test compares the two
SYSTEM_FILES = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")
OTHER_SUFFIXES = (
    ".csv", ".tsv", ".txt", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".md", ".html", ".htm", ".log",
    ".db", ".xls", ".xlsx", ".ods", ".py", ".ipynb", ".parquet",
)  # fmt: skip
HIDDEN, SYSTEM, TEXT, UNKNOWN = "hidden", "a file of the system", "a list or text", "no picture by its first bytes"


def is_hidden(name: str) -> bool:
    """Tell whether a file lies in a hidden folder or macOS's `__MACOSX`, or is hidden itself."""
    return any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in PurePosixPath(name).parts)


def why_left_out(name: str) -> str:
    """Return why a file is no picture by its name alone; "" if its name does not say so."""
    lower = name.lower()
    if is_hidden(name):
        return HIDDEN
    if PurePosixPath(lower).name in SYSTEM_FILES:
        return SYSTEM
    return TEXT if lower.endswith(OTHER_SUFFIXES) else ""


def has_picture_suffix(name: str) -> bool:
    """Tell whether a file is called a picture; if it is none, the server says so."""
    return name.lower().endswith(SUFFIXES)


def is_picture(start: bytes) -> bool:
    """Tell whether a file begins like a picture or a PDF."""
    return start.startswith(STARTS) or SHAPED.match(start) is not None
