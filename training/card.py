"""The card beside a checkpoint: what it is, where it comes from and how well it reads."""

import hashlib
import json
import shlex
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from handwriting.model import ConvNet, count_parameters
from training.data import MNIST_SHA256


def write_card(weights: Path, network: ConvNet, run: dict[str, object], metrics: list[dict]) -> Path:
    """Write `<model>-<version>.json` beside the weights and return its path.

    Args:
        weights: the checkpoint.
        network: what it holds.
        run: what to say of the training run: version, seed, epochs, commit, the cards of its teachers.
        metrics: one row a test set, with its name and n.
    """
    card = {
        "model": network.config.model,
        "architecture": type(network).__name__,
        "config": asdict(network.config),
        "parameters": count_parameters(network),
        "bytes": weights.stat().st_size,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "data": [{"file": f"mnist/{name}", "sha256_unpacked": digest} for name, digest in MNIST_SHA256.items()],
        "command": shlex.join(["python", "-m", "training.train", *sys.argv[1:]]),
        **run,
        "metrics": metrics,
    }
    path = weights.with_suffix(".json")
    path.write_text(json.dumps(card, indent=2) + "\n")
    return path


def commit() -> str:
    """Return the commit of the code that trains, marked where the working tree differs from it."""
    try:
        describe = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        done = subprocess.run(describe, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown: git is not installed"
    return done.stdout.strip() or "unknown: not a git checkout"
