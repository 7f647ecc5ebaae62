"""One recogniser on one server, for one picture or for many."""

from collections.abc import Iterable, Iterator
from operator import length_hint
from threading import Event
from typing import Self

import requests
from requests.auth import AuthBase

from inkserve.client.answers import (
    Explanation,
    OfPage,
    PageReading,
    Prediction,
    Result,
    read_any,
    read_explanation,
    read_page,
    read_pages,
    read_prediction,
)
from inkserve.client.bulk import BulkRequests, progress_bar
from inkserve.client.connection import OCTETS, Server, Timeout, headers_of, name_of, probe_picture
from inkserve.client.pictures import AnyPicture, to_bytes

TOP_K = 3
TIMEOUT_S = (3.0, 20.0)
TRIES = 5


class Recogniser:
    """A client of one recogniser.

    Several threads may use it. As a context manager it closes its connections at the end.

    Attributes:
        model: name of the recogniser.
        version: MAJOR.MINOR, or None for the server's default version.
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
            version: MAJOR.MINOR; by default the server's default version.
            top_k: how many labels each prediction lists.
            timeout_s: to connect and to wait for the answer. A server whose worker is dead never answers.
            tries: how often a request is sent while the server's queue is full, its worker dies, or the connection
                breaks: the pauses between are about 0.1, 0.3, 0.9, ... s.
            timing: whether to ask how long each request took in the worker.
            auth: for a server with tokens, such as `Token("...")` or `KeyFile("key_file.json")`; by default the token
                in INKSERVE_TOKEN, or that in the key file that INKSERVE_KEY_FILE names, or none.
        """
        self.model = model
        self.version = version or None
        self._server = Server(url, timeout_s, tries, auth)
        self.url = self._server.url
        self._name, self._headers = name_of(model, version), headers_of(top_k, timing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next request would open new ones."""
        self._server.http.close()

    def predict(self, picture: AnyPicture, *, request_id: str = "") -> Prediction:
        """Send a picture of one character, and return its label.

        Args:
            picture: a path or anything else with `read_bytes`; the bytes of PNG, JPEG, HEIC, PDF or another format of
                the API; a file open for reading bytes; a Pillow image; or an array, H x W or H x W x 1, 3 or 4:
                integers from 0 to 255, where 255 is white, or floats from 0 to 1, where 1 is white.
            request_id: names the request in the server's log, should it fail: 1 to 64 of A-Z, a-z, 0-9, ".", "_", "-".

        Raises:
            UnusablePicture: it is none of these, cannot be read, or is over the API's size limits.
            ServerDown: no answer in time, or a 5xx.
            Rejected: a 4xx.
        """
        return read_prediction(*self._send("predictions", picture, request_id))

    def read(self, picture: AnyPicture) -> Prediction | PageReading:
        """Send a picture to a recogniser of characters or of pages, and return what it answers.

        Raises:
            As `predict`.
        """
        return read_any(*self._send("predictions", picture))

    def explain(self, picture: AnyPicture) -> Explanation:
        """Send a picture, and return what the network saw of it and a Grad-CAM heatmap; needs NumPy.

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

    def read_pages(self, picture: AnyPicture) -> tuple[OfPage, ...]:
        """Send a PDF or TIFF, and return what was read on each page: with `reader` on all, otherwise on one.

        A page that could not be read is a `Rejected` in its place. A file of one page has a result of one.

        Raises:
            As `predict`.
        """
        return read_pages(*self._send("predictions", picture))

    def predict_many(
        self, pictures: Iterable[AnyPicture], *, progress: bool = False, cancelled: Event | None = None
    ) -> Iterator[Result]:
        """Send any number of pictures, and return a result for each, in their order.

        Up to 64 pictures go in one request, and up to four requests are on their way at once. Requests become smaller
        when they take longer than half a second, as those of photographs do.

        Pictures are taken from the iterable, and encoded, as their turn comes: never more are in memory than those of
        five requests. A request that fails is sent again, as often as `tries` says; then its error is that of its
        pictures. If a short probe then finds the server down, the remaining pictures are not sent, and get a
        ServerDown, too.

        Args:
            pictures: any that `predict` takes.
            progress: whether to draw a progress bar on stderr, where that is a terminal; needs the package `rich`.
            cancelled: when it is set, the iterator ends soon, without the remaining results.

        Returns:
            for each picture its Prediction (of `reader`, a PageReading, or a Document of several pages), whose round
            trip is that of its request, or the RecogniserError that `predict` would have raised. Nothing is sent
            before the first result is asked for.

        Raises:
            TypeError: `pictures` is a single path or picture.
        """
        if isinstance(pictures, str | bytes | bytearray):
            raise TypeError(f"pictures is one {type(pictures).__name__}; wanted an iterable of pictures")
        return self._predict_many(pictures, progress, cancelled or Event())

    def fault(self) -> str:
        """Return why the recogniser can't answer now, or "" when a real prediction has just proved that it can.

        TorchServe's `/ping` says Healthy while no worker lives, so only a prediction counts. An `InvalidImage` from the
        handler is an answer, too.
        """
        return self._server.fault(self._path_of(probe_picture()))

    def is_ready(self) -> bool:
        """Whether a worker of the recogniser answers a real prediction request."""
        return not self.fault()

    def _send(self, what: str, picture: AnyPicture, request_id: str = "") -> tuple[requests.Response, float]:
        content = to_bytes(picture)
        headers = OCTETS | self._headers | ({"X-Request-Id": request_id} if request_id else {})
        return self._server.post(self._path_of(content, what), content, headers)

    def _path_of(self, content: bytes, what: str = "predictions") -> str:  # noqa: ARG002 - a Split chooses by content
        return f"/{what}/{self._name}"

    def _predict_many(self, pictures: Iterable[AnyPicture], progress: bool, cancelled: Event) -> Iterator[Result]:
        bulk = BulkRequests(self._server, self._path_of, self._headers)
        with progress_bar(length_hint(pictures), progress) as advance:
            for result in bulk.results(pictures, cancelled):
                yield result
                advance()
