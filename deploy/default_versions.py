"""The record of default versions, which TorchServe forgets when it restarts."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from inkserve.files import atomic_write
from inkserve.versions import order

FILE = "defaults.json"  # in the stack's run folder


class Defaults:
    """The chosen default version of each recogniser, in a small JSON file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Mapping[str, str]:
        """Return the chosen versions by recogniser; empty without a valid file."""
        try:
            found = json.loads(self.path.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return {str(model): str(version) for model, version in found.items()} if isinstance(found, dict) else {}

    def choose(self, model: str, version: str) -> None:
        """Record a choice.

        Raises:
            OSError: the file cannot be written.
        """
        chosen = {**self.read(), model: version}
        with atomic_write(self.path) as partial:
            partial.write_text(json.dumps(chosen, indent=2) + "\n")

    def among(self, model: str, versions: Iterable[str]) -> str:
        """Return the default among some versions: the chosen one, or else the lowest.

        Raises:
            ValueError: there are none.
        """
        there = sorted(versions, key=order)
        chosen = self.read().get(model)
        if not there:
            raise ValueError(f"{model} has no version; wanted at least one")
        return chosen if chosen in there else there[0]
