import pytest
import torch
from torch import nn

from handwriting.labels import DIGITS
from handwriting.model import CheckpointError, ConvNet, ModelConfig, count_parameters, load_checkpoint, save_checkpoint
from training.data import to_tensors

CONFIG = ModelConfig("digits", DIGITS)


@pytest.fixture
def network() -> ConvNet:
    torch.manual_seed(0)
    return ConvNet(CONFIG).eval()


def test_digits_stays_under_its_limit_of_parameters(network):
    assert count_parameters(network) == 422_474


def test_it_learns_ten_digits_by_heart(mnist_train):
    frames, labels = to_tensors(mnist_train.take(slice(10)))
    torch.manual_seed(0)
    network = ConvNet(ModelConfig("digits", DIGITS, dropout=0.0)).train()
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
