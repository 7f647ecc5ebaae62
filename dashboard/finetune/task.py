"""Something that takes its time, done in the background once, whoever asks how often."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from dashboard.shared.management import ManagementError


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes:
        done: whether it was done.
        text: what was done, or why it was not.
    """

    done: bool
    text: str


class Task:
    """One task at a time, for all sessions of this process; it goes on when the page that asked is left.

    Attributes:
        about: what the task that runs or ran last is about.
        title: of that task.
        outcome: of the last task, None while it runs or if there was none.
    """

    def __init__(self) -> None:
        self.about = self.title = ""
        self.outcome: Outcome | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, about: str, title: str, done: str, action: Callable[[], None]) -> bool:
        """Begin a task.

        Args:
            about: what it is done with.
            title: what is being done.
            done: what to say when it is done.
            action: does it; its ManagementError says why not.

        Returns:
            False if one already runs.
        """
        with self._lock:
            if self.is_running():
                return False
            self.about, self.title, self.outcome = about, title, None
            self._thread = threading.Thread(target=self._run, args=(done, action), name="teach", daemon=True)
            self._thread.start()
            return True

    def is_running(self) -> bool:
        """Tell whether one goes on."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self, timeout_s: float) -> None:
        """Wait for its end, or for the time given."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, done: str, action: Callable[[], None]) -> None:
        try:
            action()
            self.outcome = Outcome(True, done)
        except ManagementError as err:
            self.outcome = Outcome(False, f"That did not work: {err}.")
        except Exception as err:  # the page says so; a thread's traceback would be seen by nobody
            self.outcome = Outcome(False, f"That did not work: {type(err).__name__}: {err}.")
            raise
