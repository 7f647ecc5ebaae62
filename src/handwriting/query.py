"""One HTTP request as TorchServe hands it to a handler: which picture, and how many labels are asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from handwriting.errors import InvalidRequest, UnsupportedMedia
from handwriting.preprocess import Picture, read_array, read_picture

DEFAULT_TOP_K = 3
TOP_K_DIGITS = 9  # a longer number is not worth parsing
TOP_K_HEADER = "x-top-k"  # TorchServe 0.12 drops the query string of /predictions, so no ?top_k= there
ADDRESS = {"model_name", "model_version"}  # what /invocations, which does keep its query string, hands on as inputs
FORM = "application/x-www-form-urlencoded"
WANTED = 'a picture as the body or as a multipart file, or JSON {"data": [[...]]}'


@dataclass(frozen=True)
class Query:
    """What a client asks of a recogniser.

    Attributes:
        picture: decoded, not yet in a normal form.
        top_k: how many of the most probable labels the answer lists.
    """

    picture: Picture
    top_k: int


def read_query(inputs: Mapping[str, object], headers: Mapping[str, object], labels: int) -> Query:
    """Read a request.

    Args:
        inputs: its body and query parameters by name. A body that is not multipart is named `body`; JSON comes
            as bytes, or parsed where the server decodes it.
        headers: its headers; under an input's name, that input's own, with `content-type`.
        labels: how many labels the recogniser knows.

    Raises:
        RequestError: what is wrong, for the client to read.
    """
    parts = {name: value for name, value in inputs.items() if name not in ADDRESS}
    request_headers = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
    top_k = read_top_k(parts.pop("top_k", request_headers.get(TOP_K_HEADER)), labels)
    if request_headers.get("content-type", "").lower().startswith(FORM):
        raise UnsupportedMedia(
            f"the body was sent as {FORM}, curl's default for --data; send {WANTED}, as curl -T does"
        )
    if not parts:
        raise InvalidRequest(f"the request has no body; wanted {WANTED}")
    if len(parts) > 1:
        raise InvalidRequest(f"the request has {len(parts)} parts ({', '.join(sorted(parts))}); wanted one picture")
    name, body = parts.popitem()
    part_headers = headers.get(name)
    content_type = part_headers.get("content-type", "") if isinstance(part_headers, Mapping) else ""
    return Query(read_body(body, content_type.partition(";")[0].strip().lower()), top_k)


def read_top_k(value: object, labels: int) -> int:
    """Read how many labels to list, a number from 1 to the number of labels; without one it is DEFAULT_TOP_K.

    Raises:
        InvalidRequest: it is something else.
    """
    if value is None:
        return DEFAULT_TOP_K
    text = bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= TOP_K_DIGITS and 1 <= int(text) <= labels):
        raise InvalidRequest(f"top_k is {text[:40]!r}; wanted a whole number from 1 to {labels}")
    return int(text)


def read_body(body: object, content_type: str) -> Picture:
    """Read a picture from a body or a multipart part.

    Raises:
        RequestError: it is neither a picture nor JSON with one.
    """
    if not isinstance(body, bytes | bytearray):  # the server has parsed JSON, or decoded text
        return read_document(body)
    if content_type == "application/json":
        return read_document(parse_json(bytes(body)))
    if content_type not in {"", "application/octet-stream", "binary/octet-stream"} and content_type[:6] != "image/":
        raise UnsupportedMedia(f"the body is {content_type[:80]}; wanted {WANTED}")
    return read_picture(bytes(body))


def parse_json(body: bytes) -> object:
    """Parse a JSON body.

    Raises:
        InvalidRequest: it is not JSON.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as err:
        raise InvalidRequest(f"the body is not JSON: {err}") from err


def read_document(document: object) -> Picture:
    """Read the picture in a parsed JSON document.

    Raises:
        RequestError: it is not `{"data": ...}` with the numbers of a picture.
    """
    if not isinstance(document, Mapping) or "data" not in document:
        found = f"keys {sorted(map(str, document))[:5]}" if isinstance(document, Mapping) else type(document).__name__
        raise InvalidRequest(f'the JSON body has {found}; wanted {{"data": [[...]]}}, numbers from 0 to 255')
    return read_array(document["data"])
