"""Each recogniser from data to answer: trained for a few steps, killed, resumed, packed, served, asked."""

import json
import signal
import subprocess
import sys
import time

import pytest
import requests
import torch

from deploy.archive import pack
from deploy.local.settings import ROOT
from handwriting.checkpoint import load_checkpoint
from handwriting.labels import LABELS
from measuring.common.temporary_server import serving
from tests.conftest import environment
from training import train
from training.options import parse

TIMEOUT_S = 120
MODELS = sorted(LABELS)


def arguments(model: str, folder, *more: str) -> list[str]:
    short = ["--limit", "1200", "--hold-out", "200", "--test-limit", "500", "--epochs", "3", "--batch-size", "100"]
    short += ["--font-drawings", "0"]  # they are no part of the data sets
    places = ["--weights", str(folder / "weights"), "--runs", str(folder / "runs")]
    return [model, *short, "--threads", "1", "--no-tracking", *places, *more]


def run_training(model: str, folder, *more: str):
    return train.train(parse(arguments(model, folder, *more), None))


@pytest.fixture(scope="module")
def killed_and_resumed(mnist_train, emnist_train, tmp_path_factory):
    """Folder of the weights of all recognisers, each trained by a process that was killed and by another one."""
    folder = tmp_path_factory.mktemp("trained")
    torch.set_num_threads(1)
    for model in MODELS:
        state = folder / "runs" / "train" / model / "state.pt"
        command = [sys.executable, "-m", "training.train", *arguments(model, folder)]
        with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + TIMEOUT_S
            while not state.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert len(torch.load(state, weights_only=True)["history"]) < 3
        run_training(model, folder, "--resume")
    return folder / "weights"


@pytest.mark.parametrize("model", MODELS)
def test_a_killed_training_goes_on_to_the_same_weights(killed_and_resumed, tmp_path, model):
    unbroken = load_checkpoint(run_training(model, tmp_path)).state_dict()
    resumed = load_checkpoint(killed_and_resumed / f"{model}-1.0.safetensors").state_dict()
    assert all(torch.equal(resumed[name], unbroken[name]) for name in unbroken)


@pytest.fixture(scope="module")
def server(killed_and_resumed, tmp_path_factory):
    """Address of a TorchServe with the archives of the weights just trained."""
    store = tmp_path_factory.mktemp("served")
    with serving(*(pack(killed_and_resumed / f"{model}-1.0.safetensors", store) for model in MODELS)) as url:
        yield url


@pytest.mark.server
@pytest.mark.parametrize("model", MODELS)
def test_the_archive_of_a_fresh_recogniser_answers(server, seven, model):
    answer = requests.post(f"{server}/predictions/{model}", data=seven, timeout=TIMEOUT_S).json()
    assert (answer["model"], answer["version"]) == (model, "1.0")
    assert answer["label"] in LABELS[model]
    assert 0 < answer["confidence"] <= 1


@pytest.mark.parametrize("model", MODELS)
def test_the_card_says_what_was_done(killed_and_resumed, model):
    card = json.loads((killed_and_resumed / f"{model}-1.0.json").read_text())
    assert card["epochs"] == len(card["history"]) == 3
    assert [metric["n"] for metric in card["metrics"]] == [500, 200]
    assert any("temperature" in line for line in card["methods"])
    assert card["data"]
    assert all(len(file["sha256_unpacked"]) == 64 for file in card["data"])
