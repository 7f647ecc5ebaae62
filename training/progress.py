"""How far a run is, in a small file for a program that waits for it."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from training.tracking import Tracker


class ProgressFile(Tracker):
    """Writes after each epoch how many are done of how many, and since when, as JSON.

    The file has `epochs`, `done`, and `began_s` and `told_s`: when the first epoch began, and when this was written,
    both in Unix time.
    """

    def __init__(self, path: Path, epochs: int) -> None:
        """Note that the first epoch begins.

        Args:
            path: of the file.
            epochs: that the run will have.
        """
        self.path, self.epochs, self.began_s = path, epochs, time.time()
        self._write(0)

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:  # noqa: ARG002 - its figures are printed
        """Note that an epoch is done, counted from 1."""
        self._write(epoch)

    def _write(self, done: int) -> None:
        told = {"epochs": self.epochs, "done": done, "began_s": self.began_s, "told_s": time.time()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(told))
        partial.replace(self.path)  # whole or not at all, for whoever reads it meanwhile
