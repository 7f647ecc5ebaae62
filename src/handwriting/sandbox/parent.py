"""Has a process decode a file, and reads its pages as they come.

One process is kept ready from the first file on: to start one takes 0.1 s, several times what most files take.
"""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from PIL import Image

from handwriting.errors import ImageTooLarge, InvalidImage
from handwriting.sandbox.child import MEMORY_BYTES, MISSING, PROCESSOR_S

WALL_S = 7.0  # for each page; more than PROCESSOR_S, as other processes use the processor, too
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
    name = NAMES.get(form, form)
    with SPARE.take() as process:
        try:
            send(process, f"{form} {most_pages}\n".encode() + content)
            count = cast(int, read_line(process, name)["pages"])
            yield Decoded(count, (read_page(process, name) for _ in range(min(count, most_pages))))
        finally:
            process.kill()
            SPARE.prepare()


class Spare:
    """The process that waits for the next file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def take(self) -> "subprocess.Popen[bytes]":
        """Return the process that waits, or a new one."""
        with self._lock:
            process, self._process = self._process, None
        if process and process.poll() is not None:  # it died while it waited
            end(process)
            process = None
        return process or start()

    def prepare(self) -> None:
        """Start the next one, unless one waits."""
        with self._lock:
            if self._process is None:
                self._process = start()

    def stop(self) -> None:
        """End the process."""
        with self._lock:
            process, self._process = self._process, None
        if process:
            end(process)

    def forget(self) -> None:
        """Leave the process to the one that this one was forked from."""
        self._lock = threading.Lock()
        self._process = None


SPARE = Spare()
os.register_at_fork(after_in_child=SPARE.forget)
atexit.register(SPARE.stop)


def start() -> "subprocess.Popen[bytes]":
    """Start a process; it ends when its standard input is closed, as it is at the end of this one."""
    command = [sys.executable, "-P", "-m", "handwriting.sandbox.child"]
    # One arena: threads of decoders would otherwise reserve much of the address space
    environment = os.environ | {"PYTHONPATH": str(PACKAGES), "MALLOC_ARENA_MAX": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process, and close its pipes."""
    with process:
        process.kill()


def send(process: "subprocess.Popen[bytes]", content: bytes) -> None:
    """Write the format and the file to the process, which reads all of it first."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it ended; its output or its exit says why
            process.stdin.write(content)
            process.stdin.close()


def read_line(process: "subprocess.Popen[bytes]", name: str) -> dict[str, object]:
    """Read a line of JSON.

    Raises:
        InvalidImage: the process ended, or took too long.
        RequestError: the line is an error.
    """
    with Deadline(process):
        line = process.stdout.readline() if process.stdout else b""
    if not line.endswith(b"\n"):
        raise InvalidImage(why_it_ended(process.wait(), name))
    document: dict[str, object] = json.loads(line)
    if "error" in document:
        message = str(document["message"])
        raise ERRORS[str(document["error"])](f"the {name} cannot be read: {message}")
    return document


def read_page(process: "subprocess.Popen[bytes]", name: str) -> Image.Image:
    """Read the pixels of one page.

    Raises:
        As `read_line`.
    """
    head = read_line(process, name)
    mode, (width, height) = str(head["mode"]), cast("tuple[int, int]", head["size"])
    wanted = width * height * (DEEP_BYTES if mode in "IF" else Image.getmodebands(mode))
    with Deadline(process):
        pixels = process.stdout.read(wanted) if process.stdout else b""
    if len(pixels) < wanted:
        raise InvalidImage(why_it_ended(process.wait(), name))
    image = Image.frombytes(mode, (width, height), pixels)
    if head["missing"] is not None:
        image.info[MISSING] = head["missing"]
    return image


def why_it_ended(code: int, name: str) -> str:
    """Return the message for a process that ended before its answer was complete."""
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return (
            f"the {name} cannot be read: decoding a page takes over {PROCESSOR_S} s or {MEMORY_BYTES >> 20:,} MiB; "
            "send it as PNG or JPEG"
        )
    return f"the {name} cannot be read: its decoder failed; send it as PNG or JPEG"


class Deadline:
    """Kills a process that is not through with a block of code after WALL_S."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.timer = threading.Timer(WALL_S, process.kill)
        self.timer.daemon = True

    def __enter__(self) -> None:
        self.timer.start()

    def __exit__(self, *_: object) -> None:
        self.timer.cancel()
