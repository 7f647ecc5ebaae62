"""Which version of a recogniser answers where none is named, on record so that it survives a restart of the server."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from inkserve.versions import order

FILE = "defaults.json"  # in the stack's run folder


class Defaults:
    """The versions that were chosen, by recogniser, in a small JSON file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Mapping[str, str]:
        """Return the chosen version of each recogniser that one was chosen for; none if the file is no such record."""
        try:
            found = json.loads(self.path.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return {str(model): str(version) for model, version in found.items()} if isinstance(found, dict) else {}

    def choose(self, model: str, version: str) -> None:
        """Put a choice on record; a kill at any moment leaves either the old file or the new one.

        Raises:
            OSError: the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps({**self.read(), model: version}, indent=2) + "\n")
        partial.replace(self.path)

    def among(self, model: str, versions: Iterable[str]) -> str:
        """Return the version that should be the default among those that are there: the chosen one, else the lowest.

        Raises:
            ValueError: there are none.
        """
        there = sorted(versions, key=order)
        chosen = self.read().get(model)
        if not there:
            raise ValueError(f"{model} has no version; wanted at least one")
        return chosen if chosen in there else there[0]
