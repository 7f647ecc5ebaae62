"""Whether an answer is what it should be: the API as docs/api.md has it."""

from collections.abc import Sequence
from dataclasses import dataclass

from measuring.reliability.wire import CLOSED, Answer, Request

OK = range(200, 300)
REFUSED = range(400, 500)
TOO_LARGE = 413  # the front end's own has no text
MOST_TEXT = 5000  # characters of a message: the front end repeats a path, whose line has 4,096 at most
PREDICTING = ("/predictions/", "/explanations/")


@dataclass(frozen=True)
class Wanted:
    """What the answer to a request should be.

    Attributes:
        statuses: one of these.
        types: of the error, one of these; empty for any.
        reads: what the pictures of a good answer show, in their order: a label, a text, or the type of an error.
        bare: whether a refusal has no body, by HTTP's rules.
    """

    statuses: frozenset[int]
    types: frozenset[str] = frozenset()
    reads: tuple[str, ...] | None = None
    bare: bool = False


def refused(status: int, *types: str) -> Wanted:
    """Want a refusal."""
    return Wanted(frozenset({status}), frozenset(types))


def read_as(*reads: str) -> Wanted:
    """Want pictures to be read."""
    return Wanted(frozenset({200}), reads=reads)


READ = Wanted(frozenset({200}))
READ_OR_REFUSED = Wanted(frozenset({200, 400, 413, 415}))


def complaint(answer: Answer, wanted: Wanted) -> str:
    """Say what is wrong with an answer, or ""."""
    if answer.hung:
        return f"no answer within {answer.time_s:.0f} s"
    if answer.status not in wanted.statuses:
        return f"status {answer.status} {answer.type}; wanted {sorted(wanted.statuses)}"
    if answer.status in OK:
        found = reads(answer)
        return "" if wanted.reads in (None, found) else f"reads {found}; wanted {wanted.reads}"
    if answer.status == CLOSED or wanted.bare:
        return ""
    if wanted.types and answer.type not in wanted.types:
        return f"type {answer.type}; wanted {sorted(wanted.types)}"
    return undocumented(answer)


def fault(request: Request, answer: Answer) -> str:
    """Say what is wrong with the answer to a request of which nobody knows what it should be, or ""."""
    if answer.hung:
        return f"no answer within {answer.time_s:.0f} s"
    if answer.status == CLOSED:
        return "" if request.unfinished else "the connection was closed without an answer"
    if answer.status in REFUSED:
        return "" if request.method == "HEAD" else undocumented(answer)
    if answer.status not in OK:
        return f"status {answer.status} {answer.type}"
    if request.method == "POST" and request.path.startswith(PREDICTING) and reads(answer) is None:
        return f"status {answer.status} without a prediction"
    return ""


def undocumented(answer: Answer) -> str:
    """Say what is wrong with the body of a refusal, or ""."""
    document = answer.document
    if not isinstance(document, dict) or not {"code", "type", "message"} <= set(document):
        return f"status {answer.status} with the body {answer.body[:80]!r}; wanted code, type and message"
    if document["code"] != answer.status:
        return f"status {answer.status} with the code {document['code']!r}"
    message = document["message"]
    if not isinstance(message, str) or not 1 <= len(message) <= MOST_TEXT:
        return f"a message of {len(message or '')} characters; wanted 1 to {MOST_TEXT:,}"
    return ""


def reads(answer: Answer) -> tuple[str, ...] | None:
    """Return what an answer says its pictures show: labels, texts, or types of errors; None where it says nothing."""
    document = answer.document
    if not isinstance(document, dict):
        return None
    each: Sequence = document["predictions"] if isinstance(document.get("predictions"), list) else [document]
    found = tuple(read_one(one) for one in each)
    return None if None in found else found


def read_one(document: object) -> str | None:
    """Return what is read in one picture."""
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if isinstance(error, dict):
        return error.get("type")
    return document.get("label", document.get("text"))
