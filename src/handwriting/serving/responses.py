"""The shapes of answers that are alike for all recognisers."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import numpy as np
from ts.context import Context

from handwriting.errors import RequestError


def number(value: np.float32) -> float:
    """Return a number with the digits that float32 has: rounded, the surest answers would claim 1."""
    return float(str(value))


def many_answers(answers: Sequence[Mapping[str, Any] | RequestError], names: Sequence[str] | None) -> dict[str, Any]:
    """Put the answers for several pictures into one, each with its name where they have names."""
    rows = [{"error": error_body(each)} if isinstance(each, RequestError) else each for each in answers]
    if names is not None:
        rows = [{"name": name, **row} for name, row in zip(names, rows, strict=True)]
    return {"predictions": rows}


def reject(context: Context, index: int, error: RequestError) -> str:
    """Set the status of one request of the batch and return its answer."""
    context.set_response_status(code=error.status, phrase=HTTPStatus(error.status).phrase, idx=index)
    return json.dumps(error_body(error))


def error_body(error: RequestError) -> dict[str, Any]:
    """Describe an error in the shape of TorchServe's own."""
    return {"code": error.status, "type": error.kind, "message": str(error)}
