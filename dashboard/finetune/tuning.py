"""Fine-tuning in the background: one at a time, in a process of its own, with its output in a file."""

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

from training.database import VARIABLE, masked

ROOT = Path(__file__).resolve().parents[2]
SHOWN_LINES = 40
NEEDED = ("torch", "sklearn", "mlflow")  # of the `train` extra
ENDS = re.compile(r"[\r\n]")
FAULT = re.compile(r"^finetune: (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Progress:
    """How far a fine-tuning is.

    Attributes:
        done: epochs that are over.
        epochs: that there will be.
        left_s: until the last is over, at the pace of those before; None before the first is.
    """

    done: int
    epochs: int
    left_s: float | None


def missing() -> Sequence[str]:
    """Return the packages that fine-tuning needs and that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


class Tuning:
    """The last fine-tuning that was started here, if any."""

    def __init__(self, folder: Path) -> None:
        """Prepare.

        Args:
            folder: for the new weights, the output and the progress.
        """
        self.folder, self.log, self.told = folder, folder / "finetune.log", folder / "progress"
        self.source = ""
        self.process: subprocess.Popen | None = None
        self.lock = threading.Lock()

    def start(self, model: str, source: str, *more: str) -> bool:
        """Start to teach a recogniser the drawings of a database.

        Args:
            model: name of the recogniser.
            source: address of the database; as it may have a password, it goes by the environment, not the command.
            more: options of training.finetune.

        Returns:
            False if one already runs.
        """
        with self.lock:
            if self.is_running():
                return False
            self.folder.mkdir(parents=True, exist_ok=True)
            self.told.unlink(missing_ok=True)
            self.source = source
            command = [sys.executable, "-m", "training.finetune", model, "--threads", "1"]
            command += ["--output", _short(self.folder), "--progress", _short(self.told), *more]
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

    def progress(self) -> Progress | None:
        """Return how far it is; None before the first epoch begins."""
        try:
            told = json.loads(self.told.read_text())
        except (FileNotFoundError, ValueError):
            return None
        done, epochs = told["done"], told["epochs"]
        pace_s = (told["told_s"] - told["began_s"]) / done if done else None
        return Progress(done, epochs, None if pace_s is None else pace_s * (epochs - done))

    def fault(self) -> str:
        """Say why it ended without a new version; "" where it did not."""
        code = self.outcome()
        if not code:
            return ""
        if code < 0:
            return "it was stopped"
        found = FAULT.findall(self.output())
        if not found:
            return f"it ended with exit code {code}, and its output says why"
        return found[-1].replace(masked(self.source), "the database")

    def output(self) -> str:
        """Return the last lines that it wrote; of a progress bar, its last state."""
        if self.process is None:
            return ""
        lines = self.log.read_text("utf-8", "replace").split("\n")
        return "\n".join(ENDS.split(line)[-1] for line in lines[-SHOWN_LINES:])


def _short(path: Path) -> str:
    """Return a path as it should stand in the card, which records the command: relative where it can be."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
