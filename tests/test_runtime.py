"""Runtimes score as the network does."""

import pytest
import torch

from deploy.local.settings import ROOT
from handwriting.checkpoint import load_checkpoint
from handwriting.serving.runtime import RUNTIMES, make_runtime
from training.data import Characters
from training.fit import score_frames, to_tensors

WEIGHTS = sorted((ROOT / "weights").glob("*.safetensors"))
PROBABILITY = 1e-3  # as far apart as probabilities may be


@pytest.mark.parametrize("weights", WEIGHTS, ids=lambda path: path.stem)
def test_batches_of_all_sizes_are_scored_alike(weights):
    network = load_checkpoint(weights)
    frozen = make_runtime(network, "frozen")
    for count in (1, 2, 3, 32, 7, 100, 1):
        frames = torch.rand(count, 1, 28, 28)
        with torch.inference_mode():
            assert torch.allclose(frozen(frames), network(frames), atol=1e-4)


def all_of(characters: Characters, model: str) -> None:
    """Hold the frozen network against the plain one on a whole test set."""
    network = load_checkpoint(ROOT / "weights" / f"{model}-1.0.safetensors")
    frames, _ = to_tensors(characters)
    plain = score_frames(network, frames)
    with torch.inference_mode():
        frozen = torch.cat([make_runtime(network, "frozen")(batch) for batch in frames.split(1000)])
    assert torch.equal(plain.argmax(dim=1), frozen.argmax(dim=1))
    assert (plain.softmax(dim=1) - frozen.softmax(dim=1)).abs().max() < PROBABILITY


@pytest.mark.parametrize("model", ["digits", "digits-tiny", "lenet5"])
def test_all_of_mnist_is_read_alike(model, mnist_test):
    all_of(mnist_test, model)


@pytest.mark.parametrize("model", ["characters", "characters-edge"])
def test_emnist_is_read_alike(model, emnist_test):
    all_of(emnist_test.take(slice(5000)), model)


def test_an_unknown_runtime_is_refused():
    with pytest.raises(ValueError, match=f"wanted one of {', '.join(RUNTIMES)}"):
        make_runtime(load_checkpoint(WEIGHTS[0]), "fast")
