"""The card beside a checkpoint: what it is, where it comes from and how well it reads."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from handwriting.networks import Network, count_parameters
from training.provenance import command


def write_card(
    weights: Path,
    network: Network,
    files: Mapping[str, str],
    run: Mapping[str, object],
    metrics: list[dict[str, object]],
) -> Path:
    """Write `<model>-<version>.json` beside the weights and return its path.

    Args:
        weights: the checkpoint.
        network: what it holds.
        files: sha256 of the unpacked contents of each data file.
        run: what to say of the training run: version, seed, epochs, commit, methods, the cards of its teachers.
        metrics: one row a test set, with its name and n.
    """
    card = {
        "model": network.config.model,
        "architecture": network.config.architecture,
        "config": asdict(network.config),
        "parameters": count_parameters(network),
        "bytes": weights.stat().st_size,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "data": [{"file": name, "sha256_unpacked": digest} for name, digest in files.items()],
        "command": command(),
        **run,
        "metrics": metrics,
    }
    path = weights.with_suffix(".json")
    path.write_text(json.dumps(card, indent=2) + "\n")
    return path


def read_card(weights: Path) -> dict[str, object]:
    """Read the card beside a teacher's weights, without its history."""
    card = json.loads(weights.with_suffix(".json").read_text())
    return {name: value for name, value in card.items() if name != "history"}


def read_history(weights: Path) -> list[dict[str, float]]:
    """Read the figures of each epoch from the card beside weights."""
    return json.loads(weights.with_suffix(".json").read_text())["history"]
