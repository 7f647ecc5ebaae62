"""Reads the server's answers: predictions, explanations, pages, and the errors that other answers stand for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import responses
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

import requests

from inkserve.client.exceptions import RecogniserError, Rejected, ServerDown, ServerError

if TYPE_CHECKING:
    import numpy as np


class Response(Protocol):
    """A response of `requests` or of httpx."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""

    @property
    def content(self) -> bytes:
        """The body."""

    @property
    def text(self) -> str:
        """The body as a text."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; case does not matter."""

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Parse the body."""


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
        stages_ms: times of the batch in the worker, if `timing` asks for them: `preprocessing`, `inference`, and
            `handler`, which is their sum and more.
        notes: sentences about what else the picture shows, such as other characters.
    """

    label: str
    confidence: float
    top: tuple[Candidate, ...]
    model: str
    version: str
    round_trip_ms: float
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """What the network saw, and its Grad-CAM heatmap.

    Attributes:
        label: the most probable one.
        frame: (28, 28) uint8; 255 is ink.
        heatmap: (28, 28) float32 in [0, 1]; 1 where the picture supports the label most.
    """

    label: str
    frame: "np.ndarray[Any, np.dtype[np.uint8]]"
    heatmap: "np.ndarray[Any, np.dtype[np.float32]]"


@dataclass(frozen=True)
class Character:
    """A character on a page.

    Attributes:
        label: as read in its context.
        confidence: its probability in [0, 1].
        box: left, top, width and height in px of the picture.
    """

    label: str
    confidence: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class PageReading:
    """The answer for a page.

    Attributes:
        text: its lines.
        characters: of all lines, in reading order.
        model: name of the recogniser.
        version: MAJOR.MINOR of the recogniser that answered.
        round_trip_ms: from sending the picture to having the answer.
        stages_ms: as a Prediction's.
        notes: sentences about the file, such as that it ends early.
    """

    text: str
    characters: tuple[Character, ...]
    model: str
    version: str
    round_trip_ms: float
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """The answers for the pages of a PDF or TIFF.

    Attributes:
        pages: in order; an error in place of each page that could not be read.
    """

    pages: "tuple[OfPage, ...]"


OfPage: TypeAlias = Prediction | PageReading | RecogniserError
Result: TypeAlias = Prediction | PageReading | Document | RecogniserError  # of one of many pictures


def read_prediction(response: Response, round_trip_ms: float) -> Prediction:
    """Read the answer for one picture.

    Raises:
        Rejected: a 4xx.
        ServerDown: any other status that is not 200, or an answer that is not a prediction.
    """
    return _read(response, lambda body: prediction(body, round_trip_ms, stages(response)), "a prediction")


def read_any(response: Response, round_trip_ms: float) -> Prediction | PageReading:
    """Read the answer for one picture or for a page, whichever it is.

    Raises:
        As `read_prediction`.
    """
    is_page = response.status_code == requests.codes.ok and b'"lines"' in response.content
    return (read_page if is_page else read_prediction)(response, round_trip_ms)


def prediction(body: Mapping[str, Any], round_trip_ms: float, stages_ms: Mapping[str, float]) -> Prediction:
    """Read the part of an answer that is about one picture.

    Raises:
        ValueError, TypeError, KeyError: it is not a prediction.
    """
    return Prediction(
        label=str(body["label"]),
        confidence=float(body["confidence"]),
        top=tuple(Candidate(str(each["label"]), float(each["probability"])) for each in body["top"]),
        model=str(body["model"]),
        version=str(body["version"]),
        round_trip_ms=round_trip_ms,
        stages_ms=stages_ms,
        notes=tuple(map(str, body.get("notes", ()))),
    )


def read_predictions(response: Response, count: int, round_trip_ms: float) -> list[Result]:
    """Read the answer for many pictures: what was read, or an error, for each; a Document for one of several pages.

    Raises:
        Rejected: a 4xx.
        ServerDown: any other status that is not 200, or an answer that does not have `count` predictions.
    """
    pages = read_rows(response, round_trip_ms)
    results: list[Result] = []
    for name, rows in groupby(pages, key=lambda row: row.name):
        found = [row.result for row in rows]
        results += found if name is None or len(found) == 1 else [Document(tuple(found))]
    if len(results) != count:
        raise ServerDown(f"its answer has {len(results)} predictions; wanted {count}")
    return results


class Row(NamedTuple):
    """One answer of a list: with the name of its file, if its page is one of several."""

    name: str | None
    result: OfPage


def read_rows(response: Response, round_trip_ms: float) -> list[Row]:
    """Read the answers of a list.

    Raises:
        Rejected: a 4xx.
        ServerDown: any other status that is not 200, or an answer that is not a list of predictions.
    """
    if response.status_code != requests.codes.ok:
        raise failure(response)
    stages_ms = stages(response)
    try:
        rows = response.json()["predictions"]
        return [
            Row(str(row["name"]) if "page" in row else None, _read_one(row, round_trip_ms, stages_ms)) for row in rows
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        raise ServerDown("its answer is not a list of predictions") from err


def read_pages(response: Response, round_trip_ms: float) -> tuple[OfPage, ...]:
    """Read the answer for a file of one page or of several.

    Raises:
        Rejected: a 4xx.
        ServerDown: any other status that is not 200, or an answer that is neither.
    """
    if not is_list(response):
        return (read_any(response, round_trip_ms),)

    def read(body: Mapping[str, Any]) -> tuple[OfPage, ...]:
        return tuple(_read_one(row, round_trip_ms, stages(response)) for row in body["predictions"])

    return _read(response, read, "a list of pages")


def is_list(response: Response) -> bool:
    """Tell whether an answer is for several pages."""
    return response.status_code == requests.codes.ok and response.content.startswith(b'{"predictions"')


def _read_one(answer: Mapping[str, Any], round_trip_ms: float, stages_ms: Mapping[str, float]) -> OfPage:
    error = answer.get("error")
    if error is None:
        return (page if "lines" in answer else prediction)(answer, round_trip_ms, stages_ms)
    if int(error["code"]) >= requests.codes.server_error:
        return ServerDown(f"it answers {error['code']}: {error['message']}")
    return Rejected(str(error["type"]), str(error["message"]))


def read_explanation(response: Response) -> Explanation:
    """Read an explanation.

    Raises:
        ModuleNotFoundError: NumPy is not installed; its arrays hold an explanation.
        Rejected: a 4xx.
        ServerDown: any other status that is not 200, or an answer that is not an explanation.
    """
    try:
        import numpy as np  # noqa: PLC0415 - the client works without it
    except ModuleNotFoundError as err:
        raise ModuleNotFoundError("an explanation needs NumPy: pip install numpy") from err

    def read(body: Mapping[str, Any]) -> Explanation:
        frame, heatmap = np.array(body["frame"], np.uint8), np.array(body["heatmap"], np.float32)
        if frame.shape != heatmap.shape or frame.ndim != 2:  # noqa: PLR2004
            raise ValueError(f"a frame of {frame.shape}, a heat map of {heatmap.shape}")
        return Explanation(str(body["label"]), frame, heatmap)

    return _read(response, read, "an explanation")


def read_page(response: Response, round_trip_ms: float) -> PageReading:
    """Read the answer for a page.

    Raises:
        Rejected: a 4xx.
        ServerDown: any other status that is not 200, or an answer that is not a page.
    """
    return _read(response, lambda body: page(body, round_trip_ms, stages(response)), "a page")


def page(body: Mapping[str, Any], round_trip_ms: float, stages_ms: Mapping[str, float]) -> PageReading:
    """Read the part of an answer that is about one page.

    Raises:
        ValueError, TypeError, KeyError: it is not a page.
    """

    def character(each: Mapping[str, Any]) -> Character:
        left, top, width, height = map(float, each["box"])
        return Character(str(each["label"]), float(each["confidence"]), (left, top, width, height))

    return PageReading(
        text=str(body["text"]),
        characters=tuple(character(each) for line in body["lines"] for each in line["characters"]),
        model=str(body["model"]),
        version=str(body["version"]),
        round_trip_ms=round_trip_ms,
        stages_ms=stages_ms,
        notes=tuple(map(str, body.get("notes", ()))),
    )


def stages(response: Response) -> dict[str, float]:
    """Return the times that the worker reports, in ms; none unless the request asks for them."""
    found = re.findall(r"(\w+);dur=([0-9.]+)", response.headers.get("Server-Timing", ""))
    return {name: float(duration) for name, duration in found}


Read = TypeVar("Read")


def _read(response: Response, read: Callable[[Mapping[str, Any]], Read], what: str) -> Read:
    if response.status_code != requests.codes.ok:
        raise failure(response)
    if is_list(response) and not what.startswith("a list"):
        raise Rejected("SeveralPages", "the file has several pages; read_pages returns them all")
    try:
        return read(response.json())
    except (ValueError, TypeError, KeyError) as err:
        raise ServerDown(f"its answer is not {what}") from err


def failure(response: Response) -> ServerError:
    """Return the error that a response without a prediction stands for."""
    reason = _reason(response)
    message = str(reason.get("message") or responses.get(response.status_code, ""))
    if requests.codes.bad_request <= response.status_code < requests.codes.server_error:
        return Rejected(str(reason.get("type", response.status_code)), message)
    return ServerDown(f"it answers {response.status_code}: {message}")


def _reason(response: Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
