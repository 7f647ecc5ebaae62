import dataclasses

import pytest
import torch
from torch import nn

from handwriting.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from handwriting.labels import DIGITS, LABELS
from handwriting.networks import ModelConfig, Network, build_network, count_parameters
from training.fit import to_tensors

CONFIG = ModelConfig("digits", "ConvNet", DIGITS)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return build_network(CONFIG).eval()


@pytest.mark.parametrize(
    ("model", "architecture", "limit"),
    [
        ("digits", "ConvNet", 430_000),
        ("digits-tiny", "TinyNet", 15_000),
        ("lenet5", "LeNet5", 62_000),
        ("characters", "ResidualNet", 3_000_000),
        ("characters-edge", "MobileNet", 14_928),
    ],
)
def test_a_network_scores_frames_within_its_limit_of_parameters(model, architecture, limit):
    network = build_network(ModelConfig(model, architecture, LABELS[model])).eval()
    assert network(torch.rand(2, 1, 28, 28)).shape == (2, len(LABELS[model]))
    assert limit / 4 < count_parameters(network) <= limit


def test_changing_the_last_layer_rescales_every_logit(network):
    frames, offsets = torch.rand(3, 1, 28, 28), torch.randn(10)
    before = network(frames)
    network.rescale_logits(0.5, offsets)
    assert torch.allclose(network(frames), 0.5 * before + offsets, atol=1e-5)


def test_it_learns_ten_digits_by_heart(mnist_train):
    frames, labels = to_tensors(mnist_train.take(slice(10)))
    torch.manual_seed(0)
    network = build_network(ModelConfig("digits", "ConvNet", DIGITS, sizes={"dropout": 0.0})).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(frames), labels).backward()
        optimizer.step()
    assert network(frames).argmax(dim=1).tolist() == labels.tolist()


def test_a_checkpoint_gives_back_equal_logits_and_config(network, tmp_path):
    frames = torch.rand(4, 1, 28, 28)
    save_checkpoint(network, tmp_path / "digits.safetensors")
    loaded = load_checkpoint(tmp_path / "digits.safetensors")
    assert loaded.config == CONFIG
    assert torch.equal(loaded(frames), network(frames))


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere\.safetensors"):
        load_checkpoint(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("kept", [0, 7, 1000, 100_000])
def test_a_truncated_checkpoint_is_refused(network, tmp_path, kept):
    path = tmp_path / "digits.safetensors"
    save_checkpoint(network, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_a_pickle_is_not_loaded(tmp_path):
    path = tmp_path / "digits.safetensors"
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_a_trained_network_takes_the_mean_of_its_looks_and_one_in_training_looks_once():
    torch.manual_seed(0)
    plain = build_network(CONFIG).eval()
    turned = build_network(dataclasses.replace(CONFIG, turns_deg=(90, -90)))
    turned.load_state_dict(plain.state_dict())
    frames = torch.rand(3, 1, 28, 28)
    looks = [plain(frames), plain(frames.rot90(1, (2, 3))), plain(frames.rot90(-1, (2, 3)))]
    torch.testing.assert_close(turned.eval()(frames), torch.stack(looks).mean(dim=0), rtol=1e-3, atol=1e-4)
    turned.train()
    torch.manual_seed(1)
    once = turned(frames)
    torch.manual_seed(1)
    torch.testing.assert_close(once, turned.score(frames))
