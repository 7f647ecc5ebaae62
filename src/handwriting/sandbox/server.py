"""`python -m handwriting.sandbox.server`: forks a process for each file, which decodes it within limits.

To start a process takes 0.1 s, several times what most files take; to fork one that has all decoders loaded takes 5 ms.
Its standard input is a socket of `handwriting.sandbox.parent`, through which it gets, for each file, a socket and the
writing end of a pipe. The fork talks through the socket. When it has ended, its exit code is written to the pipe. The
server ends when its socket is closed, as it is when its parent ends.
"""

import contextlib
import gc
import os
import resource
import select
import signal
import socket
import sys
import warnings

from PIL import Image

from handwriting.sandbox.child import MEMORY_BYTES, answer

DESCRIPTORS = 2  # for each file: the socket and the pipe


def main() -> None:
    """Load the decoders, limit what they may take, and fork until the socket is closed."""
    load_decoders()
    gc.freeze()  # a collection in a fork would copy all that is loaded
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal is for the parent
    woken, waker = socket.socketpair()
    for each in (woken, waker):
        each.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler, no signal wakes
    pipes: dict[int, int] = {}  # by process
    with socket.socket(fileno=sys.stdin.fileno()) as parent:
        while True:
            readable, _, _ = select.select([parent, woken], [], [])
            if woken in readable:
                woken.recv(4096)
                report_ended(pipes)
            if parent in readable:
                message, descriptors, _, _ = socket.recv_fds(parent, 1, DESCRIPTORS)
                if not message:
                    return
                pid, pipe = fork(*descriptors)
                pipes[pid] = pipe


def load_decoders() -> None:
    """Import what the forks need."""
    warnings.simplefilter("ignore")
    Image.init()  # Pillow's own formats
    with contextlib.suppress(ImportError):  # a format that needs the missing one says so
        import pillow_heif  # noqa: PLC0415
        import pypdfium2  # noqa: F401, PLC0415

        pillow_heif.options.DECODE_THREADS = 1
        pillow_heif.register_heif_opener(thumbnails=False)


def fork(connection: int, pipe: int) -> tuple[int, int]:
    """Fork a process that answers on a connection; return its id and the pipe for its exit code."""
    pid = os.fork()
    if pid == 0:
        try:
            os.close(pipe)
            signal.set_wakeup_fd(-1)
            with socket.socket(fileno=connection) as own, contextlib.suppress(OSError):  # nobody waits for the rest
                answer(own)
        finally:
            os._exit(0)  # decoders that ran out of memory may not be able to clean up
    os.close(connection)
    return pid, pipe


def report_ended(pipes: dict[int, int]) -> None:
    """Write the exit codes of the forks that have ended to their pipes."""
    while pipes:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        pipe = pipes.pop(pid)
        with contextlib.suppress(BrokenPipeError):  # nobody asks
            os.write(pipe, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(pipe)


if __name__ == "__main__":
    main()
