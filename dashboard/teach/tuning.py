"""Fine-tuning in the background: one at a time, in a process of its own, with its output in a file."""

import importlib.util
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "runs" / "finetune.log"
SHOWN_LINES = 40
NEEDED = ("torch", "sklearn", "mlflow")  # of the `train` extra
ENDS = re.compile(r"[\r\n]")


def missing() -> Sequence[str]:
    """Return the packages that fine-tuning needs and that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


class Tuning:
    """The last fine-tuning that was started here, if any."""

    def __init__(self, log: Path = LOG) -> None:
        self.log = log
        self.process: subprocess.Popen | None = None
        self.lock = threading.Lock()

    def start(self, model: str, source: str, *more: str) -> bool:
        """Start to teach a recogniser the drawings of a database or folder.

        Returns:
            False if one already runs.
        """
        with self.lock:
            if self.is_running():
                return False
            self.log.parent.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", "training.finetune", model, source, "--threads", "1", *more]
            with self.log.open("wb") as output:
                self.process = subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
            return True

    def stop(self) -> None:
        """End it."""
        with self.lock:
            if self.process is not None and self.is_running():
                self.process.terminate()

    def is_running(self) -> bool:
        """Tell whether it goes on."""
        return self.process is not None and self.process.poll() is None

    def outcome(self) -> int | None:
        """Return its exit code; None while it runs, or if there was none."""
        return None if self.process is None else self.process.poll()

    def output(self) -> str:
        """Return the last lines that it wrote; of a progress bar, its last state."""
        if self.process is None:
            return ""
        lines = self.log.read_text("utf-8", "replace").split("\n")
        return "\n".join(ENDS.split(line)[-1] for line in lines[-SHOWN_LINES:])
