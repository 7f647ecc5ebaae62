"""Versions of recognisers, and the files that are named after them: digits-1.0.safetensors, digits-1.0.mar."""

import re
from collections.abc import Iterable
from pathlib import Path

WEIGHTS, ARCHIVE = ".safetensors", ".mar"
NAME = re.compile(r"(?P<model>[a-z0-9-]+)-(?P<version>\d+\.\d+)")


def split_name(stem: str) -> tuple[str, str] | None:
    """Return recogniser and version from a file name without its ending, or None for another kind of name."""
    found = NAME.fullmatch(stem)
    return None if found is None else (found["model"], found["version"])


def order(version: str) -> tuple[int, ...]:
    """Return the sort key of a version: 1.9 comes before 1.10."""
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))


def versions_in(model: str, *folders: Path, endings: Iterable[str] = (WEIGHTS,)) -> list[str]:
    """Return the versions of a recogniser that have a file in the folders, lowest first."""
    paths = (path for folder in folders for ending in endings for path in folder.glob(f"*{ending}"))
    names = (split_name(path.name.removesuffix(path.suffix)) for path in paths)
    return sorted({name[1] for name in names if name and name[0] == model}, key=order)


def next_version(model: str, folders: Iterable[Path], served: Iterable[str] = ()) -> str:
    """Return the version after the highest one there is, such as 1.1 after 1.0.

    Args:
        model: name of the recogniser.
        folders: of weights and of archives.
        served: versions that a server has.
    """
    there = [*versions_in(model, *folders, endings=(WEIGHTS, ARCHIVE)), *served]
    major, minor = max(map(order, there), default=(1, -1))[:2]
    return f"{major}.{minor + 1}"
