"""The pictures of a request, not yet decoded. Each is decoded on its own, so that one error affects one picture."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from handwriting.errors import InvalidRequest, RequestError
from handwriting.preprocess import MAX_SIDE_PX, Picture, read_array
from handwriting.preprocess.page_files import PageFile, open_pages, single

JSON_SINGLE = '{"data": [[...]]}, numbers from 0 to 255'
MAX_KEY = 40  # characters of a key that an error quotes
JSON_LIST = '{"instances": [{"b64": "..."} or {"data": [[...]]}, ...]}'


@dataclass(frozen=True)
class NestedLists:
    """A picture as the nested lists of a JSON document, not yet checked."""

    values: object


# An encoded picture, a (28, 28) uint8 frame, nested lists, or the error of an invalid picture
Part = bytes | np.ndarray | NestedLists | RequestError


@contextmanager
def open_part(part: Part, max_side_px: int = MAX_SIDE_PX) -> Iterator[PageFile]:
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
        with open_pages(part, max_side_px) as file:
            yield file
        return
    yield single(Picture(part, channels=1) if isinstance(part, np.ndarray) else read_array(part.values, max_side_px))


def read_instance(instance: object) -> Part:
    """Return the picture of one of a JSON document's instances: {"b64": ...} or {"data": ...}."""
    fields = instance if isinstance(instance, Mapping) else {}
    if set(fields) == {"data"}:
        return NestedLists(fields["data"])
    if set(fields) != {"b64"} or not isinstance(fields["b64"], str):
        return InvalidRequest(f"the instance has {describe(instance)}; wanted a picture as in {JSON_LIST}")
    try:
        return base64.b64decode(fields["b64"], validate=True)
    except (binascii.Error, ValueError) as err:
        return InvalidRequest(f'"b64" is not base64: {err}')


def describe(document: object) -> str:
    """Describe a parsed JSON document in a few words."""
    if isinstance(document, Mapping):
        return f"keys {[key[:MAX_KEY] for key in sorted(map(str, document))[:5]]}"
    return type(document).__name__
