"""Each recogniser from data to answer: trained for a few steps, killed, resumed, packed, served, asked."""

import signal
import subprocess
import sys
import time
from pathlib import Path

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
from training.card import Card, card_path
from training.options import parse

TIMEOUT_S = 120
EPOCHS = 5  # so many that the kill comes before the last, however busy the machine is
QUICK = "digits-tiny"
MODELS = [pytest.param(model, marks=[] if model == QUICK else pytest.mark.campaign) for model in sorted(LABELS)]


def arguments(model: str, folder, *more: str) -> list[str]:
    short = [
        "--limit",
        "1200",
        "--hold-out",
        "200",
        "--test-limit",
        "500",
        "--epochs",
        str(EPOCHS),
        "--batch-size",
        "100",
    ]
    short += ["--font-drawings", "0"]  # they are no part of the data sets
    places = ["--weights", str(folder / "weights"), "--runs", str(folder / "runs")]
    return [model, *short, "--threads", "1", "--no-tracking", *places, *more]


def run_training(model: str, folder, *more: str):
    return train.train(parse(arguments(model, folder, *more), None))


@pytest.fixture(scope="module", params=MODELS)
def killed_and_resumed(request, small_data, tmp_path_factory) -> Path:
    """The weights of a recogniser, trained by a process that was killed and by another one."""
    model, folder = request.param, tmp_path_factory.mktemp("trained")
    torch.set_num_threads(1)
    state = folder / "runs" / "train" / model / "state.pt"
    command = [sys.executable, "-m", "training.train", *arguments(model, folder)]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + TIMEOUT_S
        while not state.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert 0 < len(torch.load(state, weights_only=True)["history"]) < EPOCHS
    run_training(model, folder, "--resume")
    return folder / "weights" / f"{model}-1.0.safetensors"


def model_of(weights: Path) -> str:
    return weights.stem.removesuffix("-1.0")


def test_a_killed_training_continues_to_the_same_weights(killed_and_resumed, tmp_path):
    unbroken = load_checkpoint(run_training(model_of(killed_and_resumed), tmp_path)).state_dict()
    resumed = load_checkpoint(killed_and_resumed).state_dict()
    assert all(torch.equal(resumed[name], unbroken[name]) for name in unbroken)


@pytest.mark.server
def test_the_archive_of_a_fresh_recogniser_answers(killed_and_resumed, seven, tmp_path):
    model = model_of(killed_and_resumed)
    with serving(pack(killed_and_resumed, tmp_path)) as url:
        answer = requests.post(f"{url}/predictions/{model}", data=seven, timeout=TIMEOUT_S).json()
    assert (answer["model"], answer["version"]) == (model, "1.0")
    assert answer["label"] in LABELS[model]
    assert 0 < answer["confidence"] <= 1


def test_the_card_says_what_was_done(killed_and_resumed):
    card = Card.read(card_path(killed_and_resumed))
    assert card.epochs == len(card.history) == EPOCHS
    assert [metric.n for metric in card.metrics] == [500, 200]
    assert any("temperature" in line for line in card.methods)
    assert card.data
    assert all(len(file.sha256_unpacked) == 64 for file in card.data)
