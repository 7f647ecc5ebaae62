"""`AsyncRecogniser`, the twin of `Recogniser` for asyncio; needs httpx."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import Self
from urllib.parse import urlsplit

import httpx
from requests import RequestException

from inkserve.client.address import is_loopback, server_url
from inkserve.client.answers import (
    Document,
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
from inkserve.client.connection import (
    NO_ADDRESS,
    NO_ANSWER,
    NO_SERVER,
    OCTETS,
    REFUSED,
    Attempts,
    Timeout,
    headers_of,
    name_of,
    pause_s,
    probe_picture,
)
from inkserve.client.exceptions import RecogniserError, Rejected, ServerDown
from inkserve.client.pictures import AnyPicture, to_bytes
from inkserve.client.recogniser import TIMEOUT_S, TOP_K, TRIES
from inkserve.client.tokens import Token, bearer, inference_token, is_refusal
from inkserve.forks import renew_after_fork

CONCURRENCY = 8  # requests on their way at once: two workers have one batch each, and the next ones wait for them
BROKEN = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)
NO_NAME = ("name or service", "nodename", "name resolution", "getaddrinfo")  # what systems say of an unknown host


class AsyncRecogniser:
    """An asyncio client of one recogniser, with the answers and errors of `Recogniser`.

    At most `concurrency` requests of a client are on their way at once, whoever sends them; the others wait.

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
        auth: Token | None = None,
        concurrency: int = CONCURRENCY,
    ) -> None:
        """Name a recogniser; nothing is sent.

        Args:
            model: such as `digits`.
            url: as of `Recogniser`.
            version: MAJOR.MINOR; by default the server's default version.
            top_k: how many labels each prediction lists.
            timeout_s: to connect and to wait for the answer.
            tries: how often a request is sent, as by `Recogniser`.
            timing: whether to ask how long each request took in the worker.
            auth: for a server with tokens, as of `Recogniser`.
            concurrency: requests on their way at once.

        Raises:
            ValueError: the concurrency is below 1.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; wanted 1 or more")
        self.model = model
        self.version = version or None
        self.url = server_url(url)
        self.concurrency = concurrency
        self._tries = tries
        self._timeout = httpx.Timeout(timeout_s[1], connect=timeout_s[0], pool=None)
        self._auth = _TokenAuth(auth or inference_token())
        self._name, self._headers = name_of(model, version), headers_of(top_k, timing)
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Open connections of this process's own."""
        limits = httpx.Limits(max_connections=self.concurrency, max_keepalive_connections=self.concurrency)
        self._http = httpx.AsyncClient(
            auth=self._auth, timeout=self._timeout, limits=limits, trust_env=not is_loopback(self.url)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; the client cannot be used after it."""
        await self._http.aclose()

    async def predict(self, picture: AnyPicture, *, request_id: str = "") -> Prediction:
        """Send a picture of one character, and return its label.

        Args:
            picture: as of `Recogniser.predict`.
            request_id: names the request in the server's log, should it fail.

        Raises:
            UnusablePicture: nothing was sent.
            ServerDown: no answer in time, or a 5xx.
            Rejected: a 4xx.
        """
        return read_prediction(*await self._send("predictions", picture, request_id))

    async def read(self, picture: AnyPicture) -> Prediction | PageReading:
        """Send a picture to a recogniser of characters or of pages, and return what it answers.

        Raises:
            As `predict`.
        """
        return read_any(*await self._send("predictions", picture))

    async def explain(self, picture: AnyPicture) -> Explanation:
        """Send a picture, and return what the network saw of it and a Grad-CAM heatmap; needs NumPy.

        Raises:
            As `predict`; `Rejected` also where the recogniser gives no explanations.
        """
        return read_explanation((await self._send("explanations", picture))[0])

    async def read_page(self, picture: AnyPicture) -> PageReading:
        """Send a picture of a page to a recogniser of pages, such as `reader`, and return its text.

        Raises:
            As `predict`.
        """
        return read_page(*await self._send("predictions", picture))

    async def read_pages(self, picture: AnyPicture) -> tuple[OfPage, ...]:
        """Send a PDF or TIFF, and return what was read on each page, as `Recogniser.read_pages`.

        Raises:
            As `predict`.
        """
        return read_pages(*await self._send("predictions", picture))

    async def predict_many(self, pictures: Iterable[AnyPicture] | AsyncIterable[AnyPicture]) -> AsyncIterator[Result]:
        """Send any number of pictures, and yield a result for each, in their order.

        Each picture is a request of its own, which the server puts into batches. Pictures are taken from the iterable
        as their turn comes. When the iteration ends early, the requests on their way are cancelled.

        Args:
            pictures: any that `predict` takes.

        Yields:
            for each picture its Prediction (of `reader`, a PageReading, or a Document of several pages), or the
            RecogniserError that `predict` would have raised.

        Raises:
            TypeError: `pictures` is a single path or picture.
        """
        if isinstance(pictures, str | bytes | bytearray):
            raise TypeError(f"pictures is one {type(pictures).__name__}; wanted an iterable of pictures")
        waiting: deque[asyncio.Task[Result]] = deque()
        try:
            async for picture in _each(pictures):
                if len(waiting) >= self.concurrency:
                    yield await waiting.popleft()
                waiting.append(asyncio.create_task(self._result(picture)))
            while waiting:
                yield await waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def fault(self) -> str:
        """Return why the recogniser can't answer now, or "", as `Recogniser.fault`."""
        try:
            await self.read(probe_picture())
        except Rejected as err:
            return "" if err.type == "InvalidImage" else err.message
        except ServerDown as err:
            return str(err)
        return ""

    async def is_ready(self) -> bool:
        """Whether a worker of the recogniser answers a real prediction request."""
        return not await self.fault()

    async def _result(self, picture: AnyPicture) -> Result:
        try:
            pages = await self.read_pages(picture)
        except RecogniserError as err:
            return err
        return pages[0] if len(pages) == 1 else Document(pages)

    async def _send(self, what: str, picture: AnyPicture, request_id: str = "") -> tuple[httpx.Response, float]:
        content = await asyncio.to_thread(to_bytes, picture)  # encoding a large picture would stop the event loop
        headers = OCTETS | self._headers | ({"X-Request-Id": request_id} if request_id else {})
        return await self._post(f"/{what}/{self._name}", content, headers)

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[httpx.Response, float]:
        """Send a request, again after a pause while the reason for a failure may pass, as `Server.post`.

        Raises:
            ServerDown: no response.
        """
        attempts = Attempts(self._tries)
        while True:
            began = time.perf_counter()
            try:
                response = await self._http.post(self.url + path, content=body, headers=dict(headers))
            except (httpx.HTTPError, httpx.InvalidURL, RequestException) as err:
                if not attempts.is_worth_another(None, isinstance(err, BROKEN)):
                    raise ServerDown(self._reason(err)) from err
            else:
                if not attempts.is_worth_another(response):
                    return response, (time.perf_counter() - began) * 1000
            await asyncio.sleep(pause_s(attempts.number - 1))

    def _reason(self, err: Exception) -> str:
        if isinstance(err, httpx.TimeoutException):
            return NO_ANSWER
        if isinstance(err, RequestException):  # a KeyFileError
            return str(err)
        if isinstance(err, httpx.InvalidURL | httpx.UnsupportedProtocol) or not _has_host(self.url):
            return NO_SERVER.format(url=self.url)
        if isinstance(err, httpx.ConnectError):
            is_unknown = any(each in str(err).lower() for each in NO_NAME)
            return NO_ADDRESS.format(url=self.url) if is_unknown else REFUSED
        return f"the request failed ({type(err).__name__})"


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


class _TokenAuth(httpx.Auth):
    """Sends a token; if the server refuses it, the request is sent again with a new one."""

    requires_response_body = True

    def __init__(self, token: Token) -> None:
        self.token = token

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        sent = await asyncio.to_thread(self.token.current)
        request.headers.update(bearer(sent))
        response = yield request
        await response.aread()
        if sent and is_refusal(response.status_code, response.content):
            new = await asyncio.to_thread(self.token.refresh, sent)
            if new:
                request.headers.update(bearer(new))
                yield request


async def _each(pictures: Iterable[AnyPicture] | AsyncIterable[AnyPicture]) -> AsyncIterator[AnyPicture]:
    if isinstance(pictures, AsyncIterable):
        async for picture in pictures:
            yield picture
    else:
        for each in pictures:
            yield each
