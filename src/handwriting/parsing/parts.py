"""The pictures of a request, apart from each other but not yet decoded: each is read, or refused, by itself."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from handwriting.errors import InvalidRequest, RequestError
from handwriting.preprocess import MAX_SIDE_PX, Picture, read_array, read_picture

ONE = '{"data": [[...]]}, numbers from 0 to 255'
MAX_KEY = 40  # characters that an error repeats of a key
MANY = '{"instances": [{"b64": "..."} or {"data": [[...]]}, ...]}'


@dataclass(frozen=True)
class Numbers:
    """A picture as the nested lists of a JSON document, whatever they hold."""

    values: object


# An encoded picture, a (28, 28) uint8 frame, nested lists, or what is wrong with a picture that is none of these
Part = bytes | np.ndarray | Numbers | RequestError


def read_part(part: Part, max_side_px: int = MAX_SIDE_PX) -> Picture:
    """Decode a picture.

    Args:
        part: of a request.
        max_side_px: a picture with a longer side is reduced to this.

    Raises:
        RequestError: what is wrong with it, for the client to read.
    """
    if isinstance(part, RequestError):
        raise part
    if isinstance(part, Numbers):
        return read_array(part.values, max_side_px)
    if isinstance(part, np.ndarray):
        return Picture(part.astype(np.float32) / 255, channels=1)
    return read_picture(part, max_side_px)


def part_of(instance: object) -> Part:
    """Find the picture in one of a JSON document's instances: {"b64": ...} or {"data": ...}."""
    keys = set(instance) if isinstance(instance, Mapping) else set()
    if keys == {"data"}:
        return Numbers(instance["data"])
    if keys != {"b64"} or not isinstance(instance["b64"], str):
        return InvalidRequest(f"the instance has {describe(instance)}; wanted a picture as in {MANY}")
    try:
        return base64.b64decode(instance["b64"], validate=True)
    except (binascii.Error, ValueError) as err:
        return InvalidRequest(f'"b64" is not base64: {err}')


def describe(document: object) -> str:
    """Say what a parsed JSON document is, in a few words."""
    if isinstance(document, Mapping):
        return f"keys {[key[:MAX_KEY] for key in sorted(map(str, document))[:5]]}"
    return type(document).__name__
