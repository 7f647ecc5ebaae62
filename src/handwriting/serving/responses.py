"""JSON answers that all recognisers share."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from ts.context import Context

from handwriting.errors import RequestError
from handwriting.serving.request_log import client_request_id

MAX_MESSAGE = 500  # characters; an error message may quote the request


def to_json(answer: object) -> bytes:
    """Write an answer. Probabilities keep all digits of a float32; rounding would turn 0.9999 into 1."""
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def list_answer(
    answers: Sequence[Mapping[str, Any] | RequestError],
    names: Sequence[Mapping[str, object]],
    left_out: int = 0,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Combine the answers for a list of pictures.

    Args:
        answers: of the pictures.
        names: what each begins with: its picture's name and page, if it has them.
        left_out: number of files that are no pictures.
        notes: about the request as a whole.
    """
    rows = [{"error": error_body(each)} if isinstance(each, RequestError) else each for each in answers]
    predictions = [{**name, **row} for name, row in zip(names, rows, strict=True)]
    extra = {"left_out": left_out, "notes": notes}
    return {"predictions": predictions} | {name: value for name, value in extra.items() if value}


def reject(context: Context, index: int, error: RequestError) -> bytes:
    """Set the status of one failed request of the batch and return its answer.

    The body repeats the client's request id, as TorchServe puts its own id into the header x-request-id.
    """
    context.set_response_status(code=error.status, phrase=HTTPStatus(error.status).phrase, idx=index)
    client_id = client_request_id(context, index)
    return to_json(error_body(error) | ({"request_id": client_id} if client_id else {}))


def error_body(error: RequestError) -> dict[str, Any]:
    """Return an error in the form that TorchServe uses for its own."""
    return {"code": error.status, "type": error.kind, "message": truncate(str(error))}


def truncate(message: str) -> str:
    """Cut a long message."""
    return message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 3]}..."
