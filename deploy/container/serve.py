"""`python -m deploy.container.serve`: TorchServe and its metrics page in the foreground, as a container wants it.

Reads the variables of `make up`: ports, hosts, TOKENS, MODELS, MODEL_STORE, RUN_DIR, DRAIN_DELAY_S. SIGTERM and SIGINT
go to TorchServe, which answers what it has taken and ends. Its exit code is ours. A metrics page that ends is started
again.
"""

import ctypes
import os
import signal
import sys
import time
from types import FrameType

import psutil

from deploy.container.preconditions import check
from deploy.local import torchserve
from deploy.local.services import start_metrics
from deploy.local.settings import Settings, StackError, read_settings
from inkserve.command import run

PR_SET_CHILD_SUBREAPER = 36  # of prctl(2)
POLL_S = 0.1
BY_SIGNAL = 128  # a shell reports a process that signal n ended as 128 + n


class Foreground:
    """A server that runs as long as this process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.server: psutil.Process | None = None
        self.is_ending = False

    def run(self) -> int:
        """Start the server, and return its exit code when it has ended.

        Raises:
            CommandError: something that it needs is missing, or it does not start.
        """
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self.end)
        check(self.settings)
        adopt_orphans()
        self.server = torchserve.start(self.settings)
        if self.is_ending:  # asked before there was a server
            self.server.terminate()
        metrics = start_metrics(self.settings)
        is_settled = False
        while True:
            ended = reap()
            if self.server.pid in ended:
                return self.stop(metrics, ended[self.server.pid])
            if metrics.pid in ended and not self.is_ending:
                print(f"the metrics page ended with {ended[metrics.pid]}: starting it again", file=sys.stderr)
                metrics = start_metrics(self.settings)
            if not is_settled and not self.is_ending and torchserve.is_ready(self.settings):
                torchserve.settle(self.settings)
                is_settled = True
                print("ready", flush=True)
            time.sleep(POLL_S)

    def end(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as signal calls it
        """Pass a signal on."""
        self.is_ending = True
        if self.server is not None:
            self.server.terminate()

    def stop(self, metrics: psutil.Process, code: int) -> int:
        """Stop the metrics page, and return the server's exit code as a shell would."""
        if metrics.is_running():
            metrics.terminate()
        return code if code >= 0 else BY_SIGNAL - code


def adopt_orphans() -> None:
    """Become the parent of TorchServe, whose launcher ends, even where this is not process 1."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise StackError(f"prctl fails: {os.strerror(ctypes.get_errno())}")


def reap() -> dict[int, int]:
    """Collect all children that have ended: process id to exit code, which is -n after signal n."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def main() -> int:
    """Serve until the server ends.

    Raises:
        CommandError: it does not start.
    """
    sys.stdout.reconfigure(line_buffering=True)
    return Foreground(read_settings(os.environ)).run()


if __name__ == "__main__":
    sys.exit(run("inkserve", main))
