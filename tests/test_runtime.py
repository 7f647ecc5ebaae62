"""Runtimes score as the network does."""

import numpy as np
import pytest
import torch

from deploy.graph import write_graph
from deploy.local.settings import ROOT
from handwriting.checkpoint import load_checkpoint
from handwriting.serving.runtime import RUNTIMES, make_runtime
from training.data import Characters
from training.fit import score_frames, to_tensors

WEIGHTS = sorted((ROOT / "weights").glob("*.safetensors"))
PROBABILITY = 1e-3  # as far apart as probabilities may be


@pytest.fixture(scope="module")
def graph_of(tmp_path_factory):
    def write(network):
        path = tmp_path_factory.mktemp("graphs") / "network.onnx"
        write_graph(network, path)
        return path

    return write


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("weights", WEIGHTS, ids=lambda path: path.stem)
def test_batches_of_all_sizes_are_scored_alike(weights, name, graph_of):
    network = load_checkpoint(weights)
    score = make_runtime(network, name, graph_of(network))
    for count in (1, 2, 3, 32, 7, 100, 1):
        frames = torch.rand(count, 1, 28, 28)
        with torch.inference_mode():
            assert np.allclose(score(frames[:, 0].numpy()), network(frames), atol=1e-4)


def all_of(characters: Characters, model: str, graph_of) -> None:
    """Hold ONNX Runtime against the plain network on a whole test set."""
    network = load_checkpoint(ROOT / "weights" / f"{model}-1.0.safetensors")
    frames, _ = to_tensors(characters)
    plain = score_frames(network, frames)
    score = make_runtime(network, "onnx", graph_of(network))
    found = torch.from_numpy(np.concatenate([score(batch[:, 0].numpy()) for batch in frames.split(1000)]))
    assert torch.equal(plain.argmax(dim=1), found.argmax(dim=1))
    assert (plain.softmax(dim=1) - found.softmax(dim=1)).abs().max() < PROBABILITY


@pytest.mark.parametrize("model", ["digits", "digits-tiny", "lenet5"])
def test_all_of_mnist_is_read_alike(model, mnist_test, graph_of):
    all_of(mnist_test, model, graph_of)


@pytest.mark.parametrize("model", ["characters", "characters-edge"])
def test_emnist_is_read_alike(model, emnist_test, graph_of):
    all_of(emnist_test.take(slice(5000)), model, graph_of)


def test_an_unknown_runtime_is_refused(tmp_path):
    with pytest.raises(ValueError, match=f"wanted one of {', '.join(RUNTIMES)}"):
        make_runtime(load_checkpoint(WEIGHTS[0]), "fast", tmp_path)
