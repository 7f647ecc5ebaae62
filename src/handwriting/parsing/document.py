"""JSON bodies: our own, and those of KServe, TensorFlow Serving and Vertex AI."""

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from handwriting.errors import InvalidRequest
from handwriting.parsing.containers import check_count
from handwriting.parsing.parts import JSON_LIST, JSON_SINGLE, MAX_KEY, PICTURE_KEYS, Part, describe, read_picture_keys

MAX_LISTS = 1_000_000  # lists and objects in a JSON body; an RGB pixel is a list
MAX_TEXTS = 50_000  # strings in a JSON body, including keys
INSTANCES, PARAMETERS, TOP_K = "instances", "parameters", "top_k"
UNUSED_KEYS = ("signature_name",)  # of TensorFlow Serving; a recogniser has one signature
UNUSED_INSTANCE_KEYS = ("target",)  # of TorchServe's samples; explanations are of the predicted label
BODY_KEYS = (*PICTURE_KEYS, INSTANCES, TOP_K, PARAMETERS, *UNUSED_KEYS)


@dataclass(frozen=True)
class Document:
    """What a JSON body holds.

    Attributes:
        parts: the pictures, not yet decoded.
        is_list: whether it has `instances`.
        top_k: as it was sent, None without one.
        unused: keys that are known and have no effect.
    """

    parts: list[Part]
    is_list: bool
    top_k: object
    unused: tuple[str, ...] = ()


def starts_json(content: bytes) -> bool:
    """Tell whether a body without a telling content type is JSON: no picture begins like it."""
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start[:1] in (b"{", b"[") and not start.startswith(b"{\\rtf")


def parse_json(body: object) -> object:
    """Parse a JSON body, unless the server already did.

    Raises:
        InvalidRequest: the body is not JSON, or has too many lists or strings.
    """
    if not isinstance(body, bytes | bytearray):
        return body
    if body.count(b"[") + body.count(b"{") > MAX_LISTS:
        raise InvalidRequest(f"the JSON body has over {MAX_LISTS:,} lists and objects; wanted fewer")
    if body.count(b'"') > 2 * MAX_TEXTS:
        raise InvalidRequest(f"the JSON body has over {MAX_TEXTS:,} texts; wanted fewer")
    gc.disable()  # it would scan millions of new lists again and again
    try:
        return orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as err:
        raise InvalidRequest(f"the body is not JSON: {err}") from err
    finally:
        gc.enable()


def read_document(document: object) -> Document:
    """Return the pictures and parameters in a parsed JSON document.

    Raises:
        InvalidRequest: an unknown key, no picture or several beside `instances`, or too few or many instances.
    """
    fields: Mapping[str, Any] = document if isinstance(document, Mapping) else {}
    keys = {*PICTURE_KEYS, INSTANCES} & set(fields)
    if len(keys) != 1:
        raise InvalidRequest(f"the JSON body has {describe(document)}; wanted {JSON_SINGLE}, or {JSON_LIST}")
    check_keys(fields, BODY_KEYS, "the JSON body")
    top_k = read_body_top_k(fields)
    unused = tuple(key for key in UNUSED_KEYS if key in fields)
    if INSTANCES not in keys:
        part = read_picture_keys(fields, "the JSON body")
        if isinstance(part, InvalidRequest):
            raise part
        return Document([part], False, top_k, unused)
    instances = fields[INSTANCES]
    if not isinstance(instances, list):
        raise InvalidRequest(f'"instances" is {describe(instances)}; wanted {JSON_LIST}')
    check_count(len(instances))
    unused += tuple(key for key in UNUSED_INSTANCE_KEYS if any(isinstance(i, Mapping) and key in i for i in instances))
    return Document([read_instance(instance) for instance in instances], True, top_k, unused)


def read_body_top_k(fields: Mapping[str, Any]) -> object:
    """Return `top_k` of a body, which may also stand in its `parameters`.

    Raises:
        InvalidRequest: `parameters` is no object, or has an unknown key.
    """
    parameters = fields.get(PARAMETERS)
    if parameters is None:
        return fields.get(TOP_K)
    if not isinstance(parameters, Mapping):
        raise InvalidRequest(f'"parameters" is {describe(parameters)}; wanted an object such as {{"top_k": 1}}')
    check_keys(parameters, (TOP_K,), '"parameters"')
    return fields.get(TOP_K, parameters.get(TOP_K))


def read_instance(instance: object) -> Part:
    """Return the picture of one of a document's instances: an object, base64, or rows of numbers."""
    if isinstance(instance, str | list):
        instance = {"data": instance}
    if not isinstance(instance, Mapping) or len(set(PICTURE_KEYS) & set(instance)) != 1:
        return InvalidRequest(f"the instance has {describe(instance)}; wanted a picture as in {JSON_LIST}")
    try:
        check_keys(instance, (*PICTURE_KEYS, *UNUSED_INSTANCE_KEYS), "the instance")
    except InvalidRequest as err:
        return err
    return read_picture_keys(instance, "the instance")


def check_keys(fields: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """Check that all keys of an object are known.

    Raises:
        InvalidRequest: one is not; the message names it.
    """
    unknown = next((key for key in fields if key not in known), None)
    if unknown is not None:
        raise InvalidRequest(f"{where} has the unknown key {str(unknown)[:MAX_KEY]!r}; known are {', '.join(known)}")
