"""The pictures of a request, not yet decoded. Each is decoded on its own, so that one error affects one picture."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from handwriting.errors import InvalidRequest, RequestError
from handwriting.parsing.base64_text import decode_base64
from handwriting.preprocess import MAX_SIDE_PX, Picture, read_array
from handwriting.preprocess.page_files import PageFile, open_pages, single

PICTURE_KEYS = ("data", "image", "b64", "image_bytes")  # of a JSON object
JSON_SINGLE = '{"data": [[...]]}, numbers from 0 to 255, or {"image": BASE64}'
MAX_KEY = 40  # characters of a key that an error quotes
JSON_LIST = '{"instances": [{"b64": BASE64} or {"data": [[...]]}, ...]}'


@dataclass(frozen=True)
class NestedLists:
    """A picture as the nested lists of a JSON document, not yet checked."""

    values: object


# An encoded picture, a (28, 28) uint8 frame, nested lists, or the error of an invalid picture
Part = bytes | np.ndarray | NestedLists | RequestError


def open_part(part: Part, max_side_px: int = MAX_SIDE_PX) -> AbstractContextManager[PageFile]:
    """Open a picture, or a file of pages, which are decoded as they are asked for.

    Args:
        part: of a request.
        max_side_px: a larger picture is halved until its longest side is not larger.

    Raises:
        RequestError: the picture is invalid; the message is for the client.
    """
    if isinstance(part, RequestError):
        raise part
    if isinstance(part, bytes):
        return open_pages(part, max_side_px)
    read = Picture(part, channels=1) if isinstance(part, np.ndarray) else read_array(part.values, max_side_px)
    return nullcontext(single(read))


def read_picture_keys(fields: Mapping[str, Any], where: str) -> Part:
    """Return the picture of an object with one of PICTURE_KEYS: base64, {"b64": base64}, or rows of numbers."""
    key = next(key for key in PICTURE_KEYS if key in fields)
    value = fields[key]
    if isinstance(value, Mapping) and set(value) == {"b64"}:
        value = value["b64"]
    elif isinstance(value, list) and key != "b64":
        return NestedLists(value)
    if not isinstance(value, str):
        return InvalidRequest(f'"{key}" of {where} is {describe(value)}; wanted base64, or rows of numbers')
    try:
        return decode_base64(value, f'"{key}"')
    except InvalidRequest as err:
        return err


def describe(document: object) -> str:
    """Describe a parsed JSON document in a few words."""
    if isinstance(document, Mapping):
        return f"keys {[key[:MAX_KEY] for key in sorted(map(str, document))[:5]]}"
    return type(document).__name__
