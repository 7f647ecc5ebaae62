"""TorchServe's worker, where it has to behave otherwise."""

from collections.abc import Sequence
from typing import Any

from ts.service import Service

take_apart = Service.retrieve_data_for_inference


def keep_repeated_parts() -> None:
    """Keep all parts of a form that share a name, as in `curl -F file=@a.png -F file=@b.png`.

    TorchServe 0.12 files the parts of a request by name, so that the last would be all that is left.
    """
    Service.retrieve_data_for_inference = staticmethod(take_apart_fully)


def take_apart_fully(batch: Sequence[dict[str, Any]]) -> tuple[list, list, dict]:
    """Do what TorchServe does, after numbering the names that come again."""
    for request in batch or ():
        number_repeats(request["parameters"])
    return take_apart(batch)


def number_repeats(parameters: Sequence[dict[str, Any]]) -> None:
    """Rename the second `file` to `file (2)`, and so on."""
    seen: set[object] = set()
    for parameter in parameters:
        name, count = parameter["name"], 1
        while parameter["name"] in seen:
            count += 1
            parameter["name"] = f"{name} ({count})"
        seen.add(parameter["name"])
