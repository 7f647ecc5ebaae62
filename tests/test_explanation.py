"""Grad-CAM: what the network saw, and what of it spoke for the label."""

import numpy as np
import pytest
import torch

from deploy.local.settings import ROOT
from handwriting.checkpoint import load_checkpoint
from handwriting.preprocess import picture_frame
from handwriting.serving.explanation import explain

WEIGHTS = sorted((ROOT / "weights").glob("*.safetensors"))


@pytest.mark.parametrize("weights", WEIGHTS, ids=lambda path: path.stem)
def test_each_network_has_maps_to_explain_by(weights, seven):
    network = load_checkpoint(weights)
    heat = explain(network, picture_frame(seven, network.config.normal_form), network.config.labels.index("7"))
    assert heat.shape == (28, 28)
    assert heat.min() >= 0
    assert heat.max() == pytest.approx(1)
    assert not any(parameter.grad is not None for parameter in network.parameters())


def test_the_heat_lies_on_the_ink(seven):
    network = load_checkpoint(ROOT / "weights" / "digits-1.0.safetensors")
    frame = picture_frame(seven, "mnist")
    heat = explain(network, frame, network.config.labels.index("7"))
    near = torch.nn.functional.max_pool2d(torch.from_numpy(frame)[None], 5, 1, 2)[0].numpy() > 0.5
    assert heat[near].mean() > 1.5 * heat[~near].mean()


def test_another_label_has_another_heat(seven):
    network = load_checkpoint(ROOT / "weights" / "digits-1.0.safetensors")
    frame = picture_frame(seven, "mnist")
    assert not np.allclose(explain(network, frame, 7), explain(network, frame, 3))


def test_nothing_is_explained_by_nothing():
    network = load_checkpoint(ROOT / "weights" / "digits-1.0.safetensors")
    torch.nn.init.zeros_(network.output.weight)
    assert explain(network, np.zeros((28, 28), np.float32), 0).tolist() == np.zeros((28, 28)).tolist()
