"""The shapes of answers that are alike for all recognisers."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from ts.context import Context

from handwriting.errors import RequestError
from handwriting.serving.request_log import named_id

MAX_MESSAGE = 500  # characters of an error; it may repeat what was sent


def to_json(answer: object) -> bytes:
    """Write an answer; numbers have the digits that float32 has, since rounded, the surest would claim 1."""
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def many_answers(answers: Sequence[Mapping[str, Any] | RequestError], names: Sequence[str] | None) -> dict[str, Any]:
    """Put the answers for several pictures into one, each with its name where they have names."""
    rows = [{"error": error_body(each)} if isinstance(each, RequestError) else each for each in answers]
    if names is not None:
        rows = [{"name": name, **row} for name, row in zip(names, rows, strict=True)]
    return {"predictions": rows}


def reject(context: Context, index: int, error: RequestError) -> bytes:
    """Set the status of one request of the batch and return its answer.

    An id that the client gave comes back in the body: into the header x-request-id TorchServe puts its own.
    """
    context.set_response_status(code=error.status, phrase=HTTPStatus(error.status).phrase, idx=index)
    named = named_id(context, index)
    return to_json(error_body(error) | ({"request_id": named} if named else {}))


def error_body(error: RequestError) -> dict[str, Any]:
    """Describe an error in the shape of TorchServe's own."""
    return {"code": error.status, "type": error.kind, "message": shortened(str(error))}


def shortened(message: str) -> str:
    """Cut a long message."""
    return message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 3]}..."
