"""Base64 as programs write it: in lines, URL-safe, without padding, or in the data URL that a canvas gives."""

import base64
import binascii
import re

from handwriting.errors import InvalidRequest

DATA_URL = re.compile(r"data:[^,;]{0,100}(?:;[^,;]{1,100}){0,5},", re.IGNORECASE | re.ASCII)
BASE64 = ";base64,"
BLANKS = str.maketrans("-_", "+/", " \t\r\n")  # lines of 76, as in e-mails, and the URL-safe letters
QUOTED = 20  # characters of a text that an error shows


def is_data_url(content: bytes | bytearray) -> bool:
    """Tell whether a body or a field of a form is a data URL."""
    return bytes(content[:5]).lower() == b"data:"


def decode_base64(text: str, name: str) -> bytes:
    """Decode base64 or a data URL.

    Args:
        text: as it was sent.
        name: of where it stood, for the error.

    Raises:
        InvalidRequest: it is neither.
    """
    if (head := DATA_URL.match(text)) is not None:
        if not head[0].lower().endswith(BASE64):
            raise InvalidRequest(f"{name} is a data URL without base64; wanted data:image/png;base64,...")
        text = text[head.end() :]
    letters = text.translate(BLANKS).rstrip("=")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError) as err:
        raise InvalidRequest(f"{name} is not base64 (it starts with {text[:QUOTED]!r}): {err}") from err
