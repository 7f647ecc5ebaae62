"""What the server answers, read: a prediction, or the error that it stands for."""

from dataclasses import dataclass
from typing import Any

import requests

from handwriting.client.errors import Rejected, ServerDown, ServerError


@dataclass(frozen=True)
class Candidate:
    """One of the top-k labels with its probability in [0, 1]."""

    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The answer for one picture.

    Attributes:
        label: the most probable one.
        confidence: its probability in [0, 1].
        top: ordered from the most probable label down.
        model: name of the recogniser.
        version: MAJOR.MINOR of the recogniser that answered.
        round_trip_ms: from sending the picture to having the answer, the server's queue included.
    """

    label: str
    confidence: float
    top: tuple[Candidate, ...]
    model: str
    version: str
    round_trip_ms: float


def read_prediction(response: requests.Response, round_trip_ms: float) -> Prediction:
    """Read the answer for one picture.

    Raises:
        Rejected: a 4xx.
        ServerDown: any other status that is not 200, or an answer that is no prediction.
    """
    if response.status_code != requests.codes.ok:
        raise failure(response)
    try:
        body = response.json()
        return Prediction(
            label=str(body["label"]),
            confidence=float(body["confidence"]),
            top=tuple(Candidate(str(each["label"]), float(each["probability"])) for each in body["top"]),
            model=str(body["model"]),
            version=str(body["version"]),
            round_trip_ms=round_trip_ms,
        )
    except (ValueError, TypeError, KeyError) as err:
        raise ServerDown("its answer is not a prediction") from err


def failure(response: requests.Response) -> ServerError:
    """Return the error that a response without a prediction stands for."""
    reason = _reason(response)
    message = str(reason.get("message") or response.reason)
    if requests.codes.bad_request <= response.status_code < requests.codes.server_error:
        return Rejected(str(reason.get("type", response.status_code)), message)
    return ServerDown(f"it answers {response.status_code}: {message}")


def _reason(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
