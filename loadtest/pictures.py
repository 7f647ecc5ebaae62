"""The pictures that are sent, with what is on them."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "digits"


class Picture(NamedTuple):
    """An encoded picture of a digit, and the digit."""

    name: str
    content: bytes
    label: str


def drawings() -> Sequence[Picture]:
    """Return our own drawings, whose names begin with their digit; `digits` reads them all."""
    return [Picture(path.name, path.read_bytes(), path.name[0]) for path in sorted(FOLDER.glob("*.png"))]


def zipped(pictures: Sequence[Picture]) -> bytes:
    """Pack pictures into a ZIP file, numbered, so that one may come more than once."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, picture in enumerate(pictures):
            archive.writestr(f"{number:04}-{picture.name}", picture.content)
    return buffer.getvalue()
