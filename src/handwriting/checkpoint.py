"""Checkpoints: safetensors weights with the network's config as JSON in the file's header."""

import json
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from handwriting.networks import ModelConfig, Network, build_network


class CheckpointError(Exception):
    """A weights file is missing, damaged or of another kind."""


def save_checkpoint(network: Network, path: Path) -> None:
    """Write a network's weights and config."""
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, path, metadata={"config": json.dumps(asdict(network.config))})


def load_checkpoint(path: Path) -> Network:
    """Rebuild a network from its checkpoint, in evaluation mode on the CPU.

    Nothing is unpickled: safetensors holds arrays and text only.

    Raises:
        CheckpointError: the file is missing, damaged, or its tensors do not fit its config.
    """
    try:
        with safe_open(path, framework="pt") as file:
            fields = json.loads((file.metadata() or {})["config"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        fields |= {name: tuple(fields.get(name, ())) for name in ("labels", "turns_deg")}  # JSON has no tuples
        network = build_network(ModelConfig(**fields))
        network.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as err:
        raise CheckpointError(f"{path}: not a checkpoint of this package: {err}") from err
    return network.eval()
