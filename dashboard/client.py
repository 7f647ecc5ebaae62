"""The dashboard's view of the inference API: pictures out, predictions or named errors back.

ServerError
 +-- ServerDown    nobody answers in time, or the server itself failed (5xx): worth another try
 +-- Rejected      the server answered, and says what is wrong with this request (4xx)
"""

import io
import os
import time
from dataclasses import dataclass
from typing import Any

import requests
from PIL import Image

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_S = (1.0, 5.0)  # connect, read: a server whose worker is dead accepts a request and never answers
PROBE_TIMEOUT_S = (0.5, 2.0)
TOP_K = 3


class ServerError(Exception):
    """A request that brought no prediction."""


class ServerDown(ServerError):  # noqa: N818 - says what happened, as the package's own errors do
    """The server can't be reached, is too slow, or failed; the message says which."""


class Rejected(ServerError):  # noqa: N818
    """The server refused the request.

    Attributes:
        type: the API's name for the reason, such as `InvalidImage`.
        message: the reason for a reader.
    """

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(f"{type_}: {message}")
        self.type = type_
        self.message = message


@dataclass(frozen=True)
class Candidate:
    """One of the top-k labels with its probability in [0, 1]."""

    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The answer for one picture; `top` is ordered from the most probable label down."""

    label: str
    confidence: float
    top: tuple[Candidate, ...]
    model: str
    version: str
    round_trip_ms: float


class Client:
    """Asks one server for predictions."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def predict(self, model: str, picture: bytes, timeout_s: tuple[float, float] = TIMEOUT_S) -> Prediction:
        """Send a picture to a model.

        Args:
            model: name of a registered model.
            picture: an encoded image of any type that the API takes.
            timeout_s: connect and read timeout.

        Raises:
            ServerDown: no answer in time, or a 5xx.
            Rejected: a 4xx.
        """
        began = time.perf_counter()
        response = self._post(f"/predictions/{model}", picture, timeout_s)
        return _prediction(response, round_trip_ms=(time.perf_counter() - began) * 1000)

    def fault(self, model: str) -> str:
        """Return why a model can't answer now, or "" when a real prediction has just proved that it can.

        TorchServe's `/ping` says Healthy while no worker lives, so only a prediction counts. An `InvalidImage` from the
        handler is an answer too.
        """
        try:
            self.predict(model, PROBE_PICTURE, PROBE_TIMEOUT_S)
        except Rejected as err:
            return "" if err.type == "InvalidImage" else err.message
        except ServerDown as err:
            return str(err)
        return ""

    def is_ready(self, model: str) -> bool:
        """Whether a worker of the model answers a real prediction request."""
        return not self.fault(model)

    def _post(self, path: str, body: bytes, timeout_s: tuple[float, float]) -> requests.Response:
        with requests.Session() as http:
            http.trust_env = False  # a proxy of the environment is no way to our own server
            try:
                return http.post(
                    self.url + path,
                    data=body,
                    headers={"Content-Type": "application/octet-stream", "X-Top-K": str(TOP_K)},
                    timeout=timeout_s,
                )
            except requests.Timeout as err:
                raise ServerDown("it does not answer in time") from err
            except requests.ConnectionError as err:
                raise ServerDown("the connection is refused") from err
            except requests.RequestException as err:
                raise ServerDown(f"the request failed ({type(err).__name__})") from err


def from_environment() -> Client:
    """Return a client of the server that INKSERVE_URL names, by default the one that `make up` starts."""
    return Client(os.environ.get("INKSERVE_URL", DEFAULT_URL))


def _prediction(response: requests.Response, round_trip_ms: float) -> Prediction:
    if response.status_code != requests.codes.ok:
        raise _failure(response)
    try:
        body = response.json()
        top = tuple(Candidate(str(each["label"]), float(each["probability"])) for each in body["top"])
        return Prediction(
            label=str(body["label"]),
            confidence=float(body["confidence"]),
            top=top,
            model=str(body["model"]),
            version=str(body["version"]),
            round_trip_ms=round_trip_ms,
        )
    except (ValueError, TypeError, KeyError) as err:
        raise ServerDown("its answer is not a prediction") from err


def _failure(response: requests.Response) -> ServerError:
    reason = _reason(response)
    message = str(reason.get("message") or response.reason)
    if response.status_code >= requests.codes.server_error:
        return ServerDown(f"it answers {response.status_code}: {message}")
    return Rejected(str(reason.get("type", response.status_code)), message)


def _reason(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _drawn_one() -> bytes:
    """Return a "1" as MNIST frames it, white on black, as PNG."""
    frame = Image.new("L", (28, 28))
    frame.paste(255, (13, 4, 15, 24))
    png = io.BytesIO()
    frame.save(png, format="PNG")
    return png.getvalue()


PROBE_PICTURE = _drawn_one()
