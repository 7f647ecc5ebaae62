"""The project's own drawings of digits as pictures to send, and the check of the answers."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from handwriting.preprocess import picture_frame
from inkserve.client.pictures import encode, from_array

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "digits"
OK = 200


class Picture(NamedTuple):
    """An encoded picture of a digit, and the digit."""

    name: str
    content: bytes
    label: str


def drawings() -> Sequence[Picture]:
    """Return the drawings, whose file names begin with their digit; `digits` reads all of them right."""
    return [Picture(path.name, path.read_bytes(), path.name[0]) for path in sorted(FOLDER.glob("*.png"))]


def frames() -> Sequence[Picture]:
    """Return the drawings as 28 x 28 frames, which need almost no preprocessing."""
    return [Picture(each.name, frame(each.content), each.label) for each in drawings()]


def frame(content: bytes) -> bytes:
    """Bring a picture into MNIST's form and encode it as PNG."""
    return encode(from_array(picture_frame(content, "mnist")))


def zipped(pictures: Sequence[Picture]) -> bytes:
    """Pack pictures into a ZIP file under numbered names; a picture may occur several times."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, picture in enumerate(pictures):
            archive.writestr(f"{number:04}-{picture.name}", picture.content)
    return buffer.getvalue()


def check_answer(status: int, body: bytes | None, model: str, label: str) -> str:
    """Say what is wrong with the answer to a picture of a digit; errors of one type have the same text.

    Returns:
        "" for the right label from the right recogniser.
    """
    found = read_object(body)
    if status != OK:
        return f"status {status} {found.get('type', 'without a reason')}" if status else "no answer"
    if found.get("model") != model or "label" not in found:
        return "status 200 without a prediction"
    return "" if found["label"] == label else f"wrong label: {found['label']} for a {label}"


def read_object(body: bytes | None) -> Mapping[str, Any]:
    """Parse a JSON object; empty where the body is something else."""
    try:
        found = json.loads(body or b"")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
