"""Has a process decode a file, and reads its pages as they come."""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from PIL import Image

from handwriting.errors import ImageTooLarge, InvalidImage
from handwriting.sandbox.child import MEMORY_BYTES, MISSING, PROCESSOR_S

WALL_S = 7.0  # for each page; more than PROCESSOR_S, as other processes use the processor, too
GRACE_S = 3.0  # longer, all is killed
DEEP_BYTES = 4  # of a pixel of modes I and F
PACKAGES = Path(__file__).parents[2]
NAMES = {"HEIF": "HEIC", "JPEG2000": "JPEG 2000", "PPM": "PNM"}  # what people call Pillow's formats
ERRORS = {each.__name__: each for each in (InvalidImage, ImageTooLarge)}


@dataclass(frozen=True)
class Decoded:
    """What a file holds.

    Attributes:
        count: of pages in the whole file.
        pages: those that were asked for, one after another: L, LA, I, F, RGB or RGBA, upright; info has the share of
            MISSING rows where the file ends early. The next one may raise as `decoding`.
    """

    count: int
    pages: Iterator[Image.Image]


@contextmanager
def decoding(content: bytes, form: str, most_pages: int = 1) -> Iterator[Decoded]:
    """Decode pages of a file in a process of its own, which ends with the block.

    Args:
        content: of the file.
        form: a format of Pillow's, or "PDF".
        most_pages: how many are decoded.

    Raises:
        InvalidImage: damaged, or decoding it takes too much time or memory.
        ImageTooLarge: over the pixel limit.
    """
    with SERVER.fork(NAMES.get(form, form)) as fork:
        fork.send({"format": form, "bytes": len(content), "wall_s": WALL_S}, content)
        count = cast(int, fork.read_line()["pages"])
        yield Decoded(count, fork.read_pages(min(count, most_pages)))


class Fork:
    """A process that decodes one file, as this one sees it.

    Args:
        name: of the file's format, for messages.
        connection: to the process.
        exit_code: descriptor from which the exit code can be read once the process has ended.
    """

    def __init__(self, name: str, connection: socket.socket, exit_code: int) -> None:
        self.name, self._connection, self._exit_code = name, connection, exit_code
        connection.settimeout(WALL_S + GRACE_S)
        self._answer = connection.makefile("rb")

    def __enter__(self) -> "Fork":
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()
        self._connection.close()
        os.close(self._exit_code)

    def send(self, request: dict[str, object], content: bytes) -> None:
        """Send the file, and what is wanted of it."""
        with contextlib.suppress(ConnectionError):  # it has ended; its exit code says why
            self._connection.sendall(json.dumps(request).encode() + b"\n" + content)

    def read_line(self) -> dict[str, object]:
        """Read a line of JSON.

        Raises:
            InvalidImage: the process has ended, or takes too long.
            RequestError: the line is an error.
        """
        line = self._read(self._answer.readline)
        if not line.endswith(b"\n"):
            raise self._ended()
        document: dict[str, object] = json.loads(line)
        if "error" in document:
            message = str(document["message"])
            raise ERRORS[str(document["error"])](f"the {self.name} cannot be read: {message}")
        return document

    def read_pages(self, count: int) -> Iterator[Image.Image]:
        """Read the pixels of the first pages; each is decoded when it is asked for.

        Raises:
            As `read_line`.
        """
        for i in range(count):
            if i:
                with contextlib.suppress(ConnectionError):
                    self._connection.sendall(b"\n")
            yield self._read_page()

    def _read_page(self) -> Image.Image:
        head = self.read_line()
        mode, (width, height) = str(head["mode"]), cast("tuple[int, int]", head["size"])
        wanted = width * height * (DEEP_BYTES if mode in "IF" else Image.getmodebands(mode))
        pixels = self._read(lambda: self._answer.read(wanted))
        if len(pixels) < wanted:
            raise self._ended()
        image = Image.frombytes(mode, (width, height), pixels)
        if head["missing"] is not None:
            image.info[MISSING] = head["missing"]
        return image

    def _read(self, read: Callable[[], bytes]) -> bytes:
        """Call a function that reads; b"" where the process has ended or hangs."""
        try:
            return read()
        except ConnectionError:
            return b""
        except TimeoutError:  # its own timer should have ended it
            SERVER.stop()
            return b""

    def _ended(self) -> InvalidImage:
        """Return the error for a process that ended before its answer was complete."""
        code = int(os.read(self._exit_code, 16) or -signal.SIGKILL)  # nothing, where the server was killed
        if code in (-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGALRM):
            return InvalidImage(
                f"the {self.name} cannot be read: decoding a page takes over {PROCESSOR_S} s or "
                f"{MEMORY_BYTES >> 20:,} MiB; send it as PNG or JPEG"
            )
        return InvalidImage(f"the {self.name} cannot be read: its decoder failed; send it as PNG or JPEG")


class Server:
    """The process that forks one for each file: `handwriting.sandbox.server`, started with the first file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def fork(self, name: str) -> Fork:
        """Have a process forked for a file of the format `name`."""
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        try:
            with self._lock, theirs:
                if self._connection is None or not send_descriptors(self._connection, theirs.fileno(), write):
                    self._end()
                    self._process, self._connection = start()
                    send_descriptors(self._connection, theirs.fileno(), write)
        finally:
            os.close(write)
        return Fork(name, ours, read)

    def stop(self) -> None:
        """End it, and all that it has forked."""
        with self._lock:
            self._end()

    def forget(self) -> None:
        """Leave it to the process that this one was forked from."""
        self._lock = threading.Lock()
        self._process = self._connection = None

    def _end(self) -> None:
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if process and connection:
            connection.close()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


SERVER = Server()
os.register_at_fork(after_in_child=SERVER.forget)
atexit.register(SERVER.stop)


def start() -> tuple["subprocess.Popen[bytes]", socket.socket]:
    """Start the server; it ends when its socket is closed, as it is at the end of this process."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-P", "-m", "handwriting.sandbox.server"]
    # One arena: threads of decoders would otherwise reserve much of the address space
    environment = os.environ | {"PYTHONPATH": str(PACKAGES), "MALLOC_ARENA_MAX": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with theirs:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that it can be killed with what it has forked
        )
    return process, ours


def send_descriptors(connection: socket.socket, *descriptors: int) -> bool:
    """Send descriptors to the server; False if it has ended."""
    try:
        socket.send_fds(connection, [b"f"], descriptors)
    except ConnectionError:
        return False
    return True
