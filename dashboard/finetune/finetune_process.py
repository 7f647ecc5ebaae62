"""Fine-tuning in a background process, one at a time, with its output in a file."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.drawing_store import VARIABLE, masked

ROOT = Path(__file__).resolve().parents[2]
SHOWN_LINES = 40
THREADS = min(2, os.cpu_count() or 1)  # the server needs the others
MEASURED = 2000  # characters of the original test set; `make evaluate` measures on all of them
LEFT_OUT = re.compile(r"^left out: .*$", re.MULTILINE)
NEEDED = ("torch", "sklearn", "mlflow")  # of the dependency group `train`
ENDS = re.compile(r"[\r\n]")
FAULT = re.compile(r"^finetune: (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Progress:
    """How far fine-tuning is.

    Attributes:
        done: finished epochs.
        epochs: in all.
        left_s: time left for the epochs at the rate so far; None before the end of the first.
    """

    done: int
    epochs: int
    left_s: float | None


def missing() -> Sequence[str]:
    """Return the packages that fine-tuning needs and that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


class FineTuning:
    """The last fine-tuning process that was started here, if any."""

    def __init__(self, folder: Path) -> None:
        """Set the folder; nothing is started.

        Args:
            folder: for the new weights, the output and the progress.
        """
        self.folder, self.log, self.progress_file = folder, folder / "finetune.log", folder / "progress"
        self.source = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()

    def start(self, model: str, source: str, *more: str) -> bool:
        """Start to fine-tune a recogniser with the drawings of a database.

        Args:
            model: name of the recogniser.
            source: address of the database; it may have a password, so the environment passes it, not the command line.
            more: options of training.finetune.

        Returns:
            False if one is running.
        """
        with self.lock:
            if self.is_running():
                return False
            self.folder.mkdir(parents=True, exist_ok=True)
            self.progress_file.unlink(missing_ok=True)
            self.source = source
            command = [sys.executable, "-m", "training.finetune", model, "--threads", str(THREADS)]
            command += ["--test-limit", str(MEASURED)]
            command += ["--output", _short(self.folder), "--progress", _short(self.progress_file), *more]
            with self.log.open("wb") as output:
                self.process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=os.environ | {VARIABLE: source},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            return True

    def stop(self) -> None:
        """Stop it."""
        with self.lock:
            if self.process is not None and self.is_running():
                self.process.terminate()

    def is_running(self) -> bool:
        """Whether it is running."""
        return self.process is not None and self.process.poll() is None

    def outcome(self) -> int | None:
        """Return its exit code; None while it runs, and before the first."""
        return None if self.process is None else self.process.poll()

    def progress(self) -> Progress | None:
        """Return how far it is; None before the first epoch."""
        try:
            written = json.loads(self.progress_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        done, epochs = int(written["done"]), int(written["epochs"])
        epoch_s = (written["updated_at_s"] - written["started_at_s"]) / done if done else None
        return Progress(done, epochs, None if epoch_s is None else epoch_s * (epochs - done))

    def left_out(self) -> str:
        """Return which drawings were left out and why, or ""."""
        found = LEFT_OUT.search(self.output())
        return found[0] if found else ""

    def fault(self) -> str:
        """Return why it ended without a new version, or ""."""
        code = self.outcome()
        if not code:
            return ""
        if code < 0:
            return "it was stopped"
        found = FAULT.findall(self.output())
        if not found:
            return f"it ended with exit code {code}; see its output"
        return found[-1].replace(masked(self.source), "the database")

    def output(self) -> str:
        """Return the last lines of its output; of a progress bar, the last state."""
        if self.process is None:
            return ""
        lines = self.log.read_text("utf-8", "replace").split("\n")
        return "\n".join(ENDS.split(line)[-1] for line in lines[-SHOWN_LINES:])


def _short(path: Path) -> str:
    """Return a path as the card records it with the command: relative to the repository if possible."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
