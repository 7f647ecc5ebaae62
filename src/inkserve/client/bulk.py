"""Many pictures for one recogniser: many in a request, a few requests at once, results in order."""

import io
import re
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import TypeAlias

import requests

from inkserve.client.answers import Result, read_predictions
from inkserve.client.connection import Server, pause_s
from inkserve.client.exceptions import RecogniserError, Rejected, ServerDown
from inkserve.client.pictures import MAX_BYTES, AnyPicture, to_bytes

PICTURES = 64  # in a request at most: a request that fails loses no more than these
FIRST_PICTURES = 8  # in a request before any answer; later as many as are answered within ROUND_TRIP_S
SLOW = re.compile(rb"....ftyp|....jP  |%PDF-", re.DOTALL)  # HEIC, AVIF, JPEG 2000, PDF
SLOW_WEIGHT, MOST_WEIGHT = 16, PICTURES  # of a HEIC or PDF; four fill a request, as each may take a second
ROUND_TRIP_S = 0.5  # wanted of a request: other clients' single pictures wait in the same queue about as long
IN_FLIGHT = 4  # requests at once: two workers have one each, and the next one is waiting for them
FINISHED = 12  # blocks that may wait for the answer to an earlier one
POLL_S = 0.1  # how often a cancelled run is noticed while all requests are on their way
NOT_READ = "NotRead"  # type of the error of a picture for which a request had no time
SILENT_TRIES = 2  # of a request that is not answered in time, each of which takes as long as the timeout
PROBE_TIMEOUT_S = (1.0, 3.0)

PathOf: TypeAlias = Callable[[bytes], str]


@dataclass
class Block:
    """Consecutive pictures that are sent together: in one request, or in one for each version of a Split.

    Attributes:
        results: of each picture; None until it is known.
        pictures: encoded, with their place in the block, by the path that they go to.
        size: of the encoded pictures, in bytes.
        answers: one for each request.
    """

    results: list[Result | None] = field(default_factory=list)
    pictures: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    size: int = 0
    answers: list[Future[None]] = field(default_factory=list)

    def add(self, path: str, content: bytes) -> None:
        """Add a picture."""
        self.pictures.setdefault(path, []).append((len(self.results), content))
        self.results.append(None)
        self.size += len(content)

    def unanswered(self) -> list[Future[None]]:
        """Return the answers that are not there yet."""
        return [each for each in self.answers if not each.done()]

    def take(self) -> Iterator[Result]:
        """Return the results of a block whose answers are all there."""
        for answer in self.answers:
            answer.result()  # raises what no request may raise: a bug
        return (result for result in self.results if result is not None)


class BulkRequests:
    """The requests of one call of `predict_many`; use one for each call."""

    def __init__(self, server: Server, path_of: PathOf, headers: Mapping[str, str]) -> None:
        """Remember where pictures go; nothing is sent.

        Args:
            server: to send to.
            path_of: tells the path that an encoded picture goes to.
            headers: of each request, without the content type.
        """
        self._server = server
        self._path_of = path_of
        self._headers = {**headers, "Content-Type": "application/zip"}
        self._block_pictures = FIRST_PICTURES  # of the next block
        self._faults: dict[str, str] = {}  # why a path does not answer, as soon as a probe has said so
        self._ended = Event()  # nobody waits for answers any more

    def results(self, pictures: Iterable[AnyPicture], cancelled: Event) -> Iterator[Result]:
        """Send pictures, and yield their results in order; see `Recogniser.predict_many`."""
        blocks = self._blocks(pictures, cancelled)
        sent: deque[Block] = deque()
        pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="bulk")
        is_more = True
        try:
            while not cancelled.is_set():
                unanswered = [each for block in sent for each in block.unanswered()]
                if sent and not sent[0].unanswered():
                    yield from sent.popleft().take()
                elif is_more and len(unanswered) < IN_FLIGHT and len(sent) < FINISHED:
                    block = next(blocks, None)
                    is_more = block is not None
                    if block is not None:
                        self._submit(pool, block)
                        sent.append(block)
                elif unanswered:
                    wait(unanswered, POLL_S, FIRST_COMPLETED)
                else:
                    return
        finally:
            self._ended.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _blocks(self, pictures: Iterable[AnyPicture], cancelled: Event) -> Iterator[Block]:
        """Encode pictures as their turn comes, and put as many into a block as are wanted by then."""
        block, weight = Block(), 0
        for picture in pictures:
            if cancelled.is_set():
                return
            try:
                content = to_bytes(picture)
            except RecogniserError as err:
                block.results.append(err)
            else:
                if block.size + len(content) > MAX_BYTES:  # the server takes 64 KiB more, enough for a ZIP's headers
                    yield block
                    block, weight = Block(), 0
                block.add(self._path_of(content), content)
                weight += SLOW_WEIGHT if is_slow(content) else 1
            if len(block.results) >= self._block_pictures or weight >= MOST_WEIGHT:
                yield block
                block, weight = Block(), 0
        if block.results:
            yield block

    def _submit(self, pool: ThreadPoolExecutor, block: Block) -> None:
        paths = list(block.pictures)
        block.answers = [pool.submit(self._read, block, path) for path in paths]

    def _read(self, block: Block, path: str) -> None:
        """Send a block's pictures for one path, those again that the server had no time for, and note the results."""
        pictures = block.pictures.pop(path)
        while pictures:
            body = zip_file([content for _, content in pictures])
            try:
                results: Sequence[Result] = self._send_with_retries(path, body, len(pictures), len(block.results))
            except RecogniserError as err:
                results = [err] * len(pictures)
            unread = []
            for picture, result in zip(pictures, results, strict=True):
                block.results[picture[0]] = result
                if isinstance(result, Rejected) and result.type == NOT_READ:
                    unread.append(picture)
            # The first picture of each request is read, so there are fewer each time
            pictures = unread if len(unread) < len(pictures) and not self._ended.is_set() else []

    def _send_with_retries(self, path: str, body: bytes, count: int, block_pictures: int) -> Sequence[Result]:
        """Send a request until it is answered, the tries are used up, or a probe says that the server is down.

        Raises:
            ServerDown: no answer.
            Rejected: the server refuses the request as a whole.
        """
        number = 0
        while True:
            if fault := self._faults.get(path):
                raise ServerDown(f"not sent, because the server is down: {fault}")
            number += 1
            try:
                response, round_trip_ms = self._server.post(path, body, self._headers, tries=1)
                results = read_predictions(response, count, round_trip_ms)
            except ServerDown as err:
                is_silent = isinstance(err.__cause__, requests.Timeout)
                tries = self._server.tries
                is_last = number >= (min(tries, SILENT_TRIES) if is_silent else tries)
                if self._ended.is_set():
                    raise
                if is_silent or is_last:
                    self._probe(path)
                if is_last or self._faults.get(path) or self._ended.wait(pause_s(number)):
                    raise
            else:
                wanted = int(count * ROUND_TRIP_S / max(round_trip_ms / 1000, 0.001))
                self._block_pictures = max(1, min(PICTURES, 2 * block_pictures, wanted))
                return results

    def _probe(self, path: str) -> None:
        if not self._faults.get(path):
            self._faults[path] = self._server.fault(path, tries=1, timeout_s=PROBE_TIMEOUT_S)


def is_slow(content: bytes) -> bool:
    """Tell whether a file takes the server much longer than other pictures."""
    return SLOW.match(content) is not None


def zip_file(contents: Sequence[bytes]) -> bytes:
    """Return a ZIP file of encoded pictures, stored as they are: packing would hardly make them smaller."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for place, content in enumerate(contents):
            archive.writestr(zipfile.ZipInfo(str(place)), content)
    return buffer.getvalue()


@contextmanager
def progress_bar(total: int, wanted: bool) -> Iterator[Callable[[], None]]:
    """Draw a progress bar on stderr where that is a terminal.

    Args:
        total: pictures in all, 0 if unknown.
        wanted: whether to draw it at all.

    Yields:
        what to call after each picture.
    """
    if not (wanted and sys.stderr.isatty()):
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    columns = (BarColumn(), MofNCompleteColumn(), "pictures", TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), redirect_stdout=False, redirect_stderr=False) as progress:
        task = progress.add_task("", total=total or None)
        yield lambda: progress.advance(task)
