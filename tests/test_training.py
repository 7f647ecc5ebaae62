import gzip
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from deploy.local.settings import ROOT
from handwriting.checkpoint import load_checkpoint
from tests.conftest import environment
from tests.pictures import encode, mnist_frame
from training import train
from training.augment import augment
from training.data import Characters, hold_out, read_idx, to_tensors
from training.idx import DataError, parse_idx
from training.loss import distillation_loss
from training.options import parse


def test_training_and_serving_see_the_same_tensor_for_the_same_digit(mnist_train):
    digits = mnist_train.take(slice(200))
    frames, _ = to_tensors(digits)
    served = np.stack([mnist_frame(encode(image)) for image in digits.images])
    assert np.array_equal(frames[:, 0].numpy(), served)


def test_augmentation_keeps_shape_range_and_most_of_the_ink(mnist_train):
    frames, _ = to_tensors(mnist_train.take(slice(500)))
    torch.manual_seed(0)
    varied = augment(frames)
    assert varied.shape == frames.shape
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert 0.8 < (varied.sum() / frames.sum()).item() < 1.2


def test_augmentation_changes_every_frame_and_none_in_place(mnist_train):
    frames, _ = to_tensors(mnist_train.take(slice(100)))
    before = frames.clone()
    varied = augment(frames)
    assert torch.equal(frames, before)
    assert (varied - frames).abs().amax(dim=(1, 2, 3)).min() > 0.01


def test_augmentation_repeats_with_the_seed(mnist_train):
    frames, _ = to_tensors(mnist_train.take(slice(20)))
    twice = [(torch.manual_seed(3), augment(frames))[1] for _ in range(2)]
    assert torch.equal(*twice)


def test_held_out_digits_are_not_trained_on():
    digits = Characters(np.zeros((100, 28, 28), np.uint8), np.arange(100))
    rest, held_out = hold_out(digits, 30, seed=0)
    assert len(held_out) == 30
    assert sorted([*rest.labels, *held_out.labels]) == list(range(100))


def test_an_idx_file_of_another_shape_is_refused():
    with pytest.raises(DataError, match="not an IDX file of 3 dimensions"):
        parse_idx(bytes.fromhex("00000801 00000002 0102"), 3)


def test_an_idx_file_with_too_few_values_is_refused():
    with pytest.raises(DataError, match="holds 1 values"):
        parse_idx(bytes.fromhex("00000801 00000002 01"), 1)


def test_a_missing_data_file_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match="make data"):
        read_idx("mnist/t10k-labels-idx1-ubyte.gz", 1)


def test_other_contents_under_an_official_name_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    path = tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(b"\x00\x00\x08\x01\x00\x00\x00\x01\x05"))
    with pytest.raises(DataError, match="sha256"):
        read_idx("mnist/t10k-labels-idx1-ubyte.gz", 1)


def arguments(folder, *more: str) -> list[str]:
    short = ["digits", "--limit", "1500", "--hold-out", "300", "--threads", "1", "--batch-size", "64"]
    return [*short, "--no-tracking", "--weights", str(folder / "weights"), "--runs", str(folder / "runs"), *more]


def run_training(folder, *more: str):
    options = parse(arguments(folder, *more), None)
    torch.set_num_threads(options.threads)
    return load_checkpoint(train.train(options)).state_dict()


def test_the_same_seed_gives_the_same_weights(mnist_train, tmp_path):
    first, second = (run_training(tmp_path / name, "--epochs", "1") for name in "ab")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_short_training_reads_most_digits_and_says_so_on_its_card(mnist_train, tmp_path):
    run_training(tmp_path, "--epochs", "4")
    card = json.loads((tmp_path / "weights" / "digits-1.0.json").read_text())
    assert card["metrics"][0]["set"] == "MNIST test"
    assert card["metrics"][0]["n"] == 10_000
    assert card["metrics"][0]["accuracy"] > 0.85


def test_a_killed_training_goes_on_to_the_same_weights(mnist_train, tmp_path):
    command = [sys.executable, "-m", "training.train", *arguments(tmp_path / "killed", "--epochs", "3", "--resume")]
    state = tmp_path / "killed" / "runs" / "train" / "digits" / "state.pt"
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert len(torch.load(state, weights_only=True)["history"]) < 3
    resumed = run_training(tmp_path / "killed", "--epochs", "3", "--resume")
    unbroken = run_training(tmp_path / "unbroken", "--epochs", "3")
    assert all(torch.equal(resumed[name], unbroken[name]) for name in resumed)


def test_a_state_of_other_options_is_not_resumed(mnist_train, tmp_path):
    run_training(tmp_path, "--epochs", "1")
    with pytest.raises(ValueError, match="was made with"):
        run_training(tmp_path, "--epochs", "2", "--resume")


def test_a_students_card_carries_its_teachers(mnist_train, tmp_path):
    run_training(tmp_path / "teacher", "--epochs", "1", "--architecture", "LeNet5")
    teacher = tmp_path / "teacher" / "weights" / "digits-1.0.safetensors"
    run_training(tmp_path / "student", "--epochs", "1", "--teacher", str(teacher))
    card = json.loads((tmp_path / "student" / "weights" / "digits-1.0.json").read_text())
    assert [each["architecture"] for each in card["teachers"]] == ["LeNet5"]


def test_a_students_loss_leaves_equal_logits_where_they_are():
    logits = (torch.randn(64, 10) * 10).requires_grad_()
    distillation_loss(logits, [logits.detach().clone()]).backward()
    assert logits.grad.abs().max() < 1e-6
