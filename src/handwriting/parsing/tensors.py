"""Pictures in tensors of KServe's protocol V2, the Open Inference Protocol: as JSON, or with Triton's binary data."""

import base64
import binascii
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from handwriting.errors import InvalidRequest
from handwriting.parsing.containers import check_count
from handwriting.parsing.document import parse_json

LENGTH_HEADER = "inference-header-content-length"  # of the JSON, which binary data follows
LENGTH_BYTES = 4  # before each element of binary BYTES, little endian
SHAPES = "(n, H, W), (n, H, W, C) or (H, W), C of 1, 3 or 4"
TYPES = "BYTES, encoded pictures; UINT8, 0 to 255; or FP32, 0 to 1"
DTYPES: Mapping[str, np.dtype[Any]] = {"UINT8": np.dtype(np.uint8), "FP32": np.dtype("<f4")}
WANTED = f'wanted {{"inputs": [{{"name", "shape", "datatype", "data"}}]}}, one tensor of {TYPES}'


@dataclass(frozen=True)
class InferRequest:
    """A request of the protocol V2.

    Attributes:
        id: that the answer repeats, or "".
        outputs: names of the wanted outputs; none for all.
        pictures: encoded.
    """

    id: str
    outputs: tuple[str, ...]
    pictures: Sequence[bytes]


def read_infer(body: bytes, headers: Mapping[str, str]) -> InferRequest:
    """Read a request.

    Args:
        body: JSON, perhaps with binary data after it.
        headers: of the request, their names in lower case.

    Raises:
        InvalidRequest: it is malformed, or shape and data of its tensor disagree.
    """
    length = headers.get(LENGTH_HEADER, str(len(body)))
    if not (length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= len(body)):  # noqa: PLR2004
        raise InvalidRequest(f"{LENGTH_HEADER} is {length[:40]!r}; wanted at most the {len(body):,} bytes of the body")
    document = parse_json(body[: int(length)])
    fields = document if isinstance(document, Mapping) else {}
    inputs, outputs = fields.get("inputs"), fields.get("outputs") or []
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], Mapping):
        count = f"{len(inputs)} inputs" if isinstance(inputs, list) else "no list of inputs"
        raise InvalidRequest(f"the request has {count}; {WANTED}")
    if not isinstance(outputs, list) or not all(isinstance(each, Mapping) for each in outputs):
        raise InvalidRequest('"outputs" is no list of objects; wanted [{"name": ...}], or none for all outputs')
    names = tuple(str(each.get("name")) for each in outputs)
    return InferRequest(str(fields.get("id") or ""), names, _read_tensor(inputs[0], body[int(length) :]))


def _read_tensor(tensor: Mapping[str, Any], binary: bytes) -> list[bytes]:
    kind, shape = tensor.get("datatype"), tensor.get("shape")
    if kind not in {*DTYPES, "BYTES"}:
        raise InvalidRequest(f"the tensor's datatype is {str(kind)[:40]!r}; wanted {TYPES}")
    if not isinstance(shape, list) or not all(type(each) is int and 0 <= each < 2**31 for each in shape):
        raise InvalidRequest(f"the tensor's shape is {str(shape)[:80]}; wanted a list of whole numbers")
    size = math.prod(shape)
    parameters = tensor.get("parameters")
    declared = parameters.get("binary_data_size") if isinstance(parameters, Mapping) else None
    if declared is not None and declared != len(binary):
        raise InvalidRequest(f"binary_data_size is {str(declared)[:40]}, but {len(binary):,} bytes follow the JSON")
    if kind == "BYTES":
        elements = _binary_elements(binary) if declared is not None else _text_elements(tensor.get("data"))
        _check_size(shape, size, len(elements))
        check_count(len(elements))
        return elements
    values = _numbers(tensor.get("data")) if declared is None else _binary_numbers(binary, str(kind), shape)
    return _encode(_as_pixels(values, str(kind)), shape, size)


def _check_size(shape: Sequence[int], wanted: int, found: int) -> None:
    if wanted != found:
        raise InvalidRequest(f"the tensor's shape {list(shape)} wants {wanted:,} elements; its data has {found:,}")


def _binary_numbers(binary: bytes, kind: str, shape: Sequence[int]) -> np.ndarray:
    if len(binary) % DTYPES[kind].itemsize:
        raise InvalidRequest(f"the tensor's data has {len(binary):,} bytes; wanted {kind} of shape {list(shape)}")
    return np.frombuffer(binary, DTYPES[kind])


def _numbers(data: object) -> np.ndarray:
    try:
        found = np.asarray(data).ravel()
    except ValueError as err:
        raise InvalidRequest("the tensor's data is no rectangle of numbers") from err
    if found.dtype.kind not in "iuf":
        raise InvalidRequest("the tensor's data has other things than numbers")
    return found


def _as_pixels(values: np.ndarray, kind: str) -> np.ndarray:
    """Return uint8 from 0 to 255."""
    most = 255 if kind == "UINT8" else 1
    if kind == "UINT8" and values.size and values.dtype.kind == "f":
        raise InvalidRequest("the tensor is UINT8, and its data has numbers that are not whole")
    if values.size and not (values.min() >= 0 and values.max() <= most):  # so that NaN is refused, too
        raise InvalidRequest(f"the tensor goes from {values.min()} to {values.max()}; wanted 0 to {most} for {kind}")
    return values.astype(np.uint8) if kind == "UINT8" else np.rint(values * 255).astype(np.uint8)


def _encode(pixels: np.ndarray, shape: Sequence[int], size: int) -> list[bytes]:
    """Return the pictures of a tensor as PNG."""
    _check_size(shape, size, pixels.size)
    full = [1, *shape] if len(shape) == 2 else list(shape)  # noqa: PLR2004 - (H, W)
    if not (len(full) == 3 or (len(full) == 4 and full[3] in {1, 3, 4})) or not size:  # noqa: PLR2004
        raise InvalidRequest(f"the tensor's shape is {list(shape)}; wanted {SHAPES}, none of them 0")
    check_count(full[0])
    pictures = []
    for each in pixels.reshape(full):
        buffer = io.BytesIO()
        single = each[:, :, 0] if full[3:] == [1] else each
        Image.fromarray(np.ascontiguousarray(single)).save(buffer, "PNG", compress_level=1)
        pictures.append(buffer.getvalue())
    return pictures


def _binary_elements(binary: bytes) -> list[bytes]:
    elements, at = [], 0
    while at < len(binary):
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(binary[at:start], "little")
        if start > len(binary) or at > len(binary):
            raise InvalidRequest("the tensor's data ends inside of an element; wanted each after its length, 4 bytes")
        elements.append(binary[start:at])
    return elements


def _text_elements(data: object) -> list[bytes]:
    parts = data if isinstance(data, list) else []
    flat = [each for part in parts for each in (part if isinstance(part, list) else [part])]
    if not flat or not all(isinstance(each, str) for each in flat):
        raise InvalidRequest("the tensor's data is no list of texts; wanted pictures in base64")
    try:
        return [base64.b64decode(each, validate=True) for each in flat]
    except (binascii.Error, ValueError) as err:
        raise InvalidRequest(f"the tensor's data is not base64: {err}") from err
