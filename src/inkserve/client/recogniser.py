"""One recogniser on one server, asked for one picture or for many."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from operator import length_hint
from typing import Self
from urllib.parse import quote

import numpy as np
import requests
from requests.auth import AuthBase

from inkserve.client.answers import Explanation, PageReading, Prediction, read_explanation, read_page, read_prediction
from inkserve.client.connection import Server, Timeout
from inkserve.client.exceptions import RecogniserError, Rejected, ServerDown
from inkserve.client.pictures import AnyPicture, encode, from_array, to_bytes
from inkserve.client.progress import chunks, progress_bar

TOP_K = 3
TIMEOUT_S = (3.0, 20.0)
TRIES = 5
IN_FLIGHT = 32  # requests on their way at once: a full batch of the server, see batchSize in config/*.yaml
CHUNK = 256  # pictures taken from the caller at a time

Result = Prediction | RecogniserError


class Recogniser:
    """A client of one recogniser.

    It may be used by several threads, and as a context manager that closes its connections.

    Attributes:
        model: name of the recogniser.
        url: address of its server.
    """

    def __init__(  # noqa: PLR0913 - all but the first have defaults
        self,
        model: str,
        url: str | None = None,
        version: str | None = None,
        *,
        top_k: int = TOP_K,
        timeout_s: Timeout = TIMEOUT_S,
        tries: int = TRIES,
        timing: bool = False,
        auth: AuthBase | None = None,
    ) -> None:
        """Name a recogniser; nothing is sent.

        Args:
            model: such as `digits`.
            url: of the server; by default the one in INKSERVE_URL, or else http://127.0.0.1:8080.
            version: MAJOR.MINOR; by default the one that the server has made its default.
            top_k: how many labels each prediction lists.
            timeout_s: to connect and to wait for the answer. A server whose worker is dead never answers.
            tries: how often a picture is sent while the server's queue is full, its worker dies, or the connection
                breaks: the pauses between are about 0.1, 0.3, 0.9, ... s.
            timing: whether to ask what each request took in the worker.
            auth: what a server with tokens wants, such as `Token("...")` or `KeyFile("key_file.json")`; by default
                the token in INKSERVE_TOKEN, or that in the key file that INKSERVE_KEY_FILE names, or none.
        """
        self.model = model
        self._server = Server(url, timeout_s, tries, connections=IN_FLIGHT, auth=auth)
        self.url = self._server.url
        self._name = "/".join(quote(part, safe="") for part in (model, version) if part)
        self._headers = {"Content-Type": "application/octet-stream", "X-Top-K": str(top_k)}
        if timing:
            self._headers["X-Timing"] = "1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next request would open new ones."""
        self._server.http.close()

    def predict(self, picture: AnyPicture, *, request_id: str = "") -> Prediction:
        """Send a picture and return what it is read as.

        Args:
            picture: a path or anything else with `read_bytes`; the bytes of PNG, JPEG, WebP, BMP, GIF or TIFF; a
                Pillow image; or an array, H x W or H x W x 1, 3 or 4: integers from 0 to 255, where 255 is white, or
                floats from 0 to 1, where 1 is white.
            request_id: names the request in the server's log, should it fail: 1 to 64 of A-Z, a-z, 0-9, ".", "_", "-".

        Raises:
            UnusablePicture: it is none of these, cannot be read, or is over the API's size limits.
            ServerDown: no answer in time, or a 5xx.
            Rejected: a 4xx.
        """
        return read_prediction(*self._send("predictions", picture, request_id))

    def explain(self, picture: AnyPicture) -> Explanation:
        """Send a picture and return what the network saw of it and what spoke for its label.

        Raises:
            As `predict`; `Rejected` also where the recogniser gives no explanations.
        """
        return read_explanation(self._send("explanations", picture)[0])

    def read_page(self, picture: AnyPicture) -> PageReading:
        """Send a picture of a page to a recogniser of pages, such as `reader`, and return its text.

        Raises:
            As `predict`.
        """
        return read_page(*self._send("predictions", picture))

    def predict_many(
        self, pictures: Iterable[AnyPicture], chunk: int = CHUNK, progress: bool = True
    ) -> Iterator[Result]:
        """Send many pictures, up to IN_FLIGHT at once, and give one result for each, in order.

        Paths are read only when their turn comes, so any number of files needs no more memory than IN_FLIGHT of them.
        When a whole chunk brought nothing but ServerDown, and a probe says that the server is down, the pictures after
        it are not sent, and get that ServerDown: otherwise each of thousands would wait for its timeout.

        Args:
            pictures: any that `predict` takes; taken from the iterable a chunk at a time.
            chunk: how many are taken at a time.
            progress: whether to draw a progress bar on stderr, which needs tqdm; never where that is no terminal.

        Returns:
            for each picture its Prediction, or the RecogniserError that `predict` would have raised. Nothing is
            sent before the first is asked for.

        Raises:
            ValueError: chunk is under 1.
            TypeError: `pictures` is a single path or picture.
        """
        if chunk < 1:
            raise ValueError(f"chunk is {chunk}; wanted at least 1")
        if isinstance(pictures, str | bytes | bytearray):
            raise TypeError(f"pictures is one {type(pictures).__name__}; wanted an iterable of pictures")
        return self._predict_all(pictures, chunk, progress)

    def fault(self) -> str:
        """Return why the recogniser can't answer now, or "" when a real prediction has just proved that it can.

        TorchServe's `/ping` says Healthy while no worker lives, so only a prediction counts. An `InvalidImage` from the
        handler is an answer too.
        """
        try:
            self.predict(PROBE_PICTURE)
        except Rejected as err:
            return "" if err.type == "InvalidImage" else err.message
        except ServerDown as err:
            return str(err)
        return ""

    def is_ready(self) -> bool:
        """Whether a worker of the recogniser answers a real prediction request."""
        return not self.fault()

    def _send(self, what: str, picture: AnyPicture, request_id: str = "") -> tuple[requests.Response, float]:
        content = to_bytes(picture)
        headers = self._headers | {"X-Request-Id": request_id} if request_id else self._headers
        return self._server.post(f"/{what}/{self._name_for(content)}", content, headers)

    def _name_for(self, content: bytes) -> str:  # noqa: ARG002 - a Split chooses by it
        return self._name

    def _predict_all(self, pictures: Iterable[AnyPicture], chunk: int, progress: bool) -> Iterator[Result]:
        fault, down = "", False
        with ThreadPoolExecutor(IN_FLIGHT) as pool, progress_bar(length_hint(pictures), progress) as advance:
            for part in chunks(pictures, chunk):
                fault = fault or (self.fault() if down else "")
                down = True
                for result in _unsent(part, fault) if fault else self._send_chunk(pool, part):
                    down = down and isinstance(result, ServerDown)
                    yield result
                    advance()

    def _send_chunk(self, pool: Executor, pictures: Sequence[AnyPicture]) -> Iterator[Result]:
        """Give the results of a chunk, in order: the one place that knows that a request carries one picture."""
        return pool.map(self._result, pictures)

    def _result(self, picture: AnyPicture) -> Result:
        try:
            return self.predict(picture)
        except RecogniserError as err:
            return err


def _unsent(pictures: Sequence[AnyPicture], fault: str) -> Iterator[Result]:
    return (ServerDown(f"not sent, because the server is down: {fault}") for _ in pictures)


def _drawn_one() -> bytes:
    """Return a "1" as MNIST frames it, white on black, as PNG."""
    frame = np.zeros((28, 28), np.uint8)
    frame[4:24, 13:15] = 255
    return encode(from_array(frame))


PROBE_PICTURE = _drawn_one()
