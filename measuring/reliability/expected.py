"""The expected answer to a request, as docs/api.md describes the API, and the comparison of an answer with it."""

from dataclasses import dataclass

from measuring.reliability.http_wire import CLOSED, Answer, Request

OK = range(200, 300)
ANY_STATUS = frozenset([CLOSED, *OK, *range(400, 500)])
MAX_MESSAGE_CHARACTERS = 5000  # the front end repeats the path of a request, whose line has at most 4,096
KSERVE = ("/v1/models", "/v2/models")  # their errors are {"error": message}
PREDICTING = ("/predictions/", "/explanations/")


@dataclass(frozen=True)
class Expected:
    """The expected answer to a request.

    Attributes:
        statuses: the status is one of these.
        types: the error type is one of these; empty for any.
        reads: what each picture of a 200 shows, in order: a label, a text, or an error type.
        without_body: a refusal has no body, as HTTP demands for HEAD.
    """

    statuses: frozenset[int]
    types: frozenset[str] = frozenset()
    reads: tuple[str, ...] | None = None
    without_body: bool = False


def status_in(*statuses: int) -> Expected:
    """Expect one of these statuses."""
    return Expected(frozenset(statuses))


def refused(status: int, *types: str) -> Expected:
    """Expect an error."""
    return Expected(frozenset({status}), frozenset(types))


def read_as(*reads: str) -> Expected:
    """Expect a 200 with these labels, texts or error types."""
    return Expected(frozenset({200}), reads=reads)


READ = status_in(200)
READ_OR_REFUSED = status_in(200, 400, 413, 415)


def compare(answer: Answer, expected: Expected) -> str:
    """Say how an answer differs from the expected one, or ""."""
    if answer.timed_out:
        return f"no answer within {answer.time_s:.0f} s"
    if answer.status not in expected.statuses:
        wanted = "" if expected.statuses is ANY_STATUS else f"; expected {sorted(expected.statuses)}"
        return f"status {answer.status} {answer.type}{wanted}"
    if answer.status in OK:
        found = reads(answer)
        return "" if expected.reads in (None, found) else f"reads {found}; expected {expected.reads}"
    if answer.status == CLOSED or expected.without_body:
        return ""
    if expected.types and answer.type not in expected.types:
        return f"type {answer.type}; expected {sorted(expected.types)}"
    return compare_body(answer)


def compare_with_api(request: Request, answer: Answer) -> str:
    """Say how an answer breaks the API's rules where the exact answer is not known, or ""."""
    if answer.status == CLOSED and not (answer.timed_out or request.incomplete):
        return "the connection was closed without an answer"
    if request.path.startswith(KSERVE) and set(answer.document) == {"error"}:
        return "" if answer.status in range(400, 500) else f"status {answer.status} with an error"
    wrong = compare(answer, Expected(ANY_STATUS, without_body=request.method == "HEAD"))
    is_prediction = request.method == "POST" and request.path.startswith(PREDICTING)
    if not wrong and is_prediction and answer.status in OK and reads(answer) is None:
        return f"status {answer.status} without a prediction"
    return wrong


def compare_body(answer: Answer) -> str:
    """Say how the body of an error differs from {"code", "type", "message"}, or ""."""
    document = answer.document
    if not {"code", "type", "message"} <= set(document):
        return f"status {answer.status} with the body {answer.body[:80]!r}; expected code, type and message"
    if document["code"] != answer.status:
        return f"status {answer.status} with the code {document['code']!r}"
    message = document["message"]
    if not isinstance(message, str) or not 1 <= len(message) <= MAX_MESSAGE_CHARACTERS:
        return f"a message of {len(message or '')} characters; expected 1 to {MAX_MESSAGE_CHARACTERS:,}"
    return ""


def reads(answer: Answer) -> tuple[str, ...] | None:
    """Return labels, texts or error types of an answer's pictures; None where one is missing."""
    document = answer.document
    predictions = document.get("predictions")
    found = tuple(map(_read_one, predictions if isinstance(predictions, list) else [document]))
    return None if None in found else found  # type: ignore[return-value]


def _read_one(prediction: object) -> str | None:
    if not isinstance(prediction, dict):
        return None
    error = prediction.get("error")
    if isinstance(error, dict):
        return error.get("type")
    return prediction.get("label", prediction.get("text"))
