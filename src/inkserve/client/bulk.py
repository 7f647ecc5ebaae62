"""Thousands of pictures for one recogniser: many in a request, a few requests at once, results as they come."""

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from handwriting.preprocess import MAX_BYTES
from inkserve.client.answers import failure, prediction
from inkserve.client.connection import Server, Timeout, pause_s
from inkserve.client.exceptions import RecogniserError, Rejected, ServerDown
from inkserve.client.pictures import AnyPicture, to_bytes
from inkserve.client.recogniser import TIMEOUT_S, TOP_K, TRIES, Recogniser, Result

PICTURES = 64  # a request at most: a bad one spoils no more than these
FIRST_PICTURES = 8  # a request before any answer; from then on, as many as ROUND_TRIP_S has time for
ROUND_TRIP_S = 0.5  # wanted of a request: a single picture of somebody else's waits in the same queue about as long
IN_FLIGHT = 4  # requests on their way at once: two workers have one each, and the next one waits for them
LOOK_S = 0.1  # how often a cancelled batch is noticed while all requests are on their way
SILENT_TRIES = 2  # of a request that is not answered in time, each of which takes as long as the timeout
PROBE_TIMEOUT_S = (1.0, 3.0)


class Row(NamedTuple):
    """One picture of a batch.

    Attributes:
        index: its place among the pictures given, from 0.
        name: as given.
        result: its prediction, or the error of this picture.
    """

    index: int
    name: str
    result: Result


@dataclass
class Parcel:
    """The pictures of one request, encoded."""

    places: list[tuple[int, str]] = field(default_factory=list)  # index and name
    contents: list[bytes] = field(default_factory=list)
    size: int = 0  # bytes

    def add(self, index: int, name: str, content: bytes) -> None:
        """Put a picture in."""
        self.places.append((index, name))
        self.contents.append(content)
        self.size += len(content)

    def rows(self, results: Sequence[Result]) -> list[Row]:
        """Give each picture its result."""
        return [Row(index, name, result) for (index, name), result in zip(self.places, results, strict=True)]


class BulkRecogniser:
    """A client of one recogniser for batches of any length; a context manager that closes its connections.

    Attributes:
        model: name of the recogniser.
        version: MAJOR.MINOR, or None for the server's default.
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
        auth: AuthBase | None = None,
    ) -> None:
        """Name a recogniser; nothing is sent.

        Args:
            model: such as `digits`.
            url: of the server; by default the one in INKSERVE_URL, or else http://127.0.0.1:8080.
            version: MAJOR.MINOR; by default the one that the server has made its default.
            top_k: how many labels each prediction lists.
            timeout_s: to connect and to wait for the answer to a request.
            tries: how often a request is sent while the server is down: the pauses between are about 0.1, 0.3,
                0.9, ... s.
            auth: what a server with tokens wants, such as `Token("...")` or `KeyFile("key_file.json")`; by default
                the token in INKSERVE_TOKEN, or that in the key file that INKSERVE_KEY_FILE names, or none.
        """
        self.model = model
        self.version = version
        self.tries = tries
        self._server = Server(url, timeout_s, tries=1, connections=IN_FLIGHT, auth=auth)
        self._probe = Recogniser(model, url, version, timeout_s=PROBE_TIMEOUT_S, tries=1, auth=auth)
        self.url = self._server.url
        self._path = "/".join(["/predictions", *(quote(part, safe="") for part in (model, version) if part)])
        self._headers = {"Content-Type": "application/zip", "X-Top-K": str(top_k)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next request would open new ones."""
        self._server.http.close()
        self._probe.close()

    def read(self, pictures: Iterable[tuple[str, AnyPicture]], cancelled: Event | None = None) -> Iterator[Row]:
        """Read pictures, IN_FLIGHT requests of up to PICTURES at once, and give a row for each as soon as it is known.

        Photographs take longer than frames of 28 x 28 px: a request has as many as are answered in about ROUND_TRIP_S.

        The pictures are taken from the iterable, and encoded, as their turn comes: no more are in memory than those of
        IN_FLIGHT + 1 requests. What goes wrong with a picture is its row's error. What goes wrong with a request is
        that of all its pictures, after as many tries as the constructor was told; if a probe then says that the server
        is down, the pictures after it are not sent, and get a ServerDown, too.

        Args:
            pictures: names, which may be the same, with any pictures that `Recogniser.predict` takes.
            cancelled: when it is set, the iterator ends within about LOOK_S, without a row for each picture. Answers
                that are still on their way are dropped.

        Yields:
            a row for each picture, in the order of the answers.
        """
        cancelled = cancelled or Event()
        run = _Run()
        parcels = _packed(pictures, run)
        pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="bulk")
        waiting: set[Future[list[Row]]] = set()
        try:
            while not cancelled.is_set():
                if len(waiting) < IN_FLIGHT and (item := next(parcels, None)) is not None:
                    if isinstance(item, Row):
                        yield item
                    elif isinstance(item, Parcel):
                        waiting.add(pool.submit(self._ask, item, run))
                    continue
                if not waiting:
                    return
                done, waiting = wait(waiting, LOOK_S, FIRST_COMPLETED)
                for each in done:
                    yield from each.result()
        finally:
            run.ended.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, parcel: Parcel, run: "_Run") -> list[Row]:
        try:
            body = zipped(parcel.contents)
            parcel.contents = []
            return parcel.rows(self._insist(body, len(parcel.places), run))
        except RecogniserError as err:
            return parcel.rows([err] * len(parcel.places))

    def _insist(self, body: bytes, count: int, run: "_Run") -> list[Result]:
        """Send a request until it is answered, or there is no more hope.

        Raises:
            ServerDown: no answer after all tries.
            Rejected: the server refuses the request as a whole.
        """
        number = 0
        while True:
            if run.fault:
                raise ServerDown(f"not sent, because the server is down: {run.fault}")
            number += 1
            try:
                response, round_trip_ms = self._server.post(self._path, body, self._headers)
                results = read_predictions(response, count, round_trip_ms)
                run.learn(count, round_trip_ms / 1000)
                return results
            except ServerDown as err:
                silent = isinstance(err.__cause__, requests.Timeout)
                last = number >= (min(self.tries, SILENT_TRIES) if silent else self.tries)
                if run.ended.is_set():
                    raise
                if silent or last:
                    run.fault = run.fault or self._probe.fault()
                if last or run.fault or run.ended.wait(pause_s(number)):
                    raise


class _Run:
    """What the requests of one batch know of each other.

    Attributes:
        ended: set when nobody waits for their answers any more.
        fault: why the server is down, as soon as a probe has said so.
        pictures: how many the next request shall have.
    """

    def __init__(self) -> None:
        self.ended = Event()
        self.fault = ""
        self.pictures = FIRST_PICTURES

    def learn(self, count: int, round_trip_s: float) -> None:
        """Fit the next requests to what one took, at most doubling them."""
        self.pictures = max(1, min(PICTURES, 2 * count, int(count * ROUND_TRIP_S / max(round_trip_s, 0.001))))


def _packed(pictures: Iterable[tuple[str, AnyPicture]], run: _Run) -> Iterator[Parcel | Row | bool]:
    """Pack pictures into parcels of as many as the run wants by then.

    Yields:
        a parcel as soon as it is full, a row for a picture that cannot be sent, and True after each other picture, so
        that the caller can look up from a long parcel.
    """
    parcel = Parcel()
    for index, (name, picture) in enumerate(pictures):
        try:
            content = to_bytes(picture)
        except RecogniserError as err:
            yield Row(index, name, err)
            continue
        if parcel.size + len(content) > MAX_BYTES:  # the server takes 64 KiB more, which is room for what a ZIP adds
            yield parcel
            parcel = Parcel()
        parcel.add(index, name, content)
        if len(parcel.places) >= run.pictures:
            yield parcel
            parcel = Parcel()
        else:
            yield True
    if parcel.places:
        yield parcel


def zipped(contents: Sequence[bytes]) -> bytes:
    """Put encoded pictures, which would hardly become smaller, into a ZIP file as they are, named by their place."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for place, content in enumerate(contents):
            archive.writestr(zipfile.ZipInfo(str(place)), content)
    return buffer.getvalue()


def read_predictions(response: requests.Response, count: int, round_trip_ms: float) -> list[Result]:
    """Read the answer for many pictures: a prediction or an error for each.

    Raises:
        Rejected: a 4xx.
        ServerDown: any other status that is not 200, or an answer that has not `count` predictions.
    """
    if response.status_code != requests.codes.ok:
        raise failure(response)
    try:
        results = [_read_one(each, round_trip_ms) for each in response.json()["predictions"]]
    except (ValueError, TypeError, KeyError) as err:
        raise ServerDown("its answer is not a list of predictions") from err
    if len(results) != count:
        raise ServerDown(f"its answer has {len(results)} predictions; wanted {count}")
    return results


def _read_one(answer: Mapping[str, Any], round_trip_ms: float) -> Result:
    error = answer.get("error")
    if error is None:
        return prediction(answer, round_trip_ms, {})
    if int(error["code"]) >= requests.codes.server_error:
        return ServerDown(f"it answers {error['code']}: {error['message']}")
    return Rejected(str(error["type"]), str(error["message"]))
