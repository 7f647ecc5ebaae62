import dataclasses
import gzip
import json

import mlflow
import numpy as np
import pytest
import torch

from deploy.local.settings import ROOT
from handwriting.checkpoint import load_checkpoint
from handwriting.labels import DIGITS
from handwriting.networks import ModelConfig, build_network
from inkserve.command import CommandError
from tests.pictures import encode, mnist_frame
from training import train
from training.augment import augment, soften
from training.calibrate import best_balance, best_temperature, calibrate
from training.card import Card, CardError
from training.crossval import cross_validate
from training.data import (
    Characters,
    DataError,
    Manifest,
    hold_out,
    parse_idx,
    read_idx,
    title_of,
    write_idx,
)
from training.fit import config_of, fit, measure, to_tensors
from training.loss import distillation_loss, score, soften_logits
from training.options import parse
from training.tracking import Tracker, store_uri
from training.trainer import CALM_STRENGTH, Trainer


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


def test_augmented_frames_are_about_as_sharp_as_real_ones(mnist_train):
    frames = to_tensors(mnist_train.take(slice(0, 500)))[0]
    steps = [each.diff(dim=-1).square().sum() / each.square().sum() for each in (augment(frames, 0.0), frames)]
    assert steps[0] > 0.85 * steps[1]


def test_less_strength_leaves_frames_nearer_to_what_they_were(mnist_train):
    frames = to_tensors(mnist_train.take(slice(0, 200)))[0]
    torch.manual_seed(0)
    changes = [(augment(frames, strength=strength) - frames).abs().mean() for strength in (1.0, 0.5, 0.0)]
    assert changes[0] > 1.3 * changes[1]
    assert changes[2] < 1e-3


def test_frames_are_varied_less_in_the_last_epochs_where_the_recipe_says_so(tmp_path):
    options = parse(arguments(tmp_path, "--epochs", "10"), None)
    options.recipe = dataclasses.replace(options.recipe, calm_share=0.3)
    trainer = Trainer(options, config_of(options), 100)
    strengths = []
    for _ in range(10):
        strengths.append(trainer.strength())
        trainer.end_epoch({"loss": 1.0})
    assert strengths == [1.0] * 7 + [CALM_STRENGTH] * 3


@pytest.mark.parametrize(("capability", "is_exact"), [("avx512_bf16", False), ("amx_bf16", False), ("avx2", True)])
def test_layers_run_in_bfloat16_only_where_the_processor_has_it(monkeypatch, capability, is_exact):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {capability: True})
    torch.manual_seed(0)
    layer, inputs = torch.nn.Linear(64, 10), torch.rand(4, 64)
    logits = score(layer, inputs)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, layer(inputs)) is is_exact


def test_softening_blurs_as_many_frames_as_asked(mnist_train):
    frames = to_tensors(mnist_train.take(slice(0, 500)))[0]
    torch.manual_seed(0)
    changed = (soften(frames, 0.2) != frames).flatten(1).any(dim=1)
    assert 60 <= changed.sum() <= 140
    assert soften(frames, 0.0) is frames


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


def arguments(folder, *more: str, model: str = "digits-tiny") -> list[str]:
    short = [model, "--limit", "600", "--hold-out", "100", "--test-limit", "200", "--threads", "1"]
    short += ["--batch-size", "64"]
    return [*short, "--no-tracking", "--weights", str(folder / "weights"), "--runs", str(folder / "runs"), *more]


def run_training(folder, *more: str, model: str = "digits-tiny"):
    options = parse(arguments(folder, *more, model=model), None)
    torch.set_num_threads(options.threads)
    return load_checkpoint(train.train(options)).state_dict()


def test_the_same_seed_gives_the_same_weights(mnist_train, tmp_path):
    first, second = (run_training(tmp_path / name, "--epochs", "1") for name in "ab")
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.campaign
def test_a_short_training_reads_most_digits_and_says_so_on_its_card(mnist_train, tmp_path):
    run_training(
        tmp_path, "--epochs", "4", "--limit", "1500", "--hold-out", "300", "--test-limit", "500", model="digits"
    )
    card = json.loads((tmp_path / "weights" / "digits-1.0.json").read_text())
    assert card["metrics"][0]["set"] == title_of("mnist", "test") == "own strokes in place of MNIST test"
    assert card["metrics"][0]["n"] == 500
    assert card["metrics"][0]["accuracy"] > 0.85


def test_a_state_of_other_options_is_not_resumed(mnist_train, tmp_path):
    run_training(tmp_path, "--epochs", "1")
    with pytest.raises(CommandError, match="was made with"):
        run_training(tmp_path, "--epochs", "2", "--resume")


def test_a_run_goes_on_from_given_weights_and_its_card_says_so(mnist_train, tmp_path):
    started = run_training(tmp_path, "--epochs", "2", "--version", "1.0")
    first = tmp_path / "weights" / "digits-tiny-1.0.safetensors"
    continued = run_training(tmp_path, "--epochs", "1", "--version", "1.1", "--start", str(first), "--lr", "1e-7")
    cards = [
        json.loads((tmp_path / "weights" / f"digits-tiny-{version}.json").read_text()) for version in ("1.0", "1.1")
    ]
    assert cards[1]["start"]["sha256"] == cards[0]["sha256"]
    assert cards[1]["history"][:2] == cards[0]["history"]
    name = next(iter(started))  # of the first layer; calibration changes the last one
    assert torch.allclose(continued[name], started[name], atol=1e-4)


def test_weights_that_training_starts_from_can_stay_in_the_mean(mnist_train, tmp_path):
    first = run_training(tmp_path, "--epochs", "1", "--version", "1.0")
    start = tmp_path / "weights" / "digits-tiny-1.0.safetensors"
    options = ["--epochs", "1", "--start", str(start), "--hold-out", "0"]
    alone = run_training(tmp_path, *options, "--version", "1.1")
    mean = run_training(tmp_path, *options, "--version", "1.2", "--start-share", "0.75")
    name = next(iter(first))  # of the first layer; calibration changes the last one
    assert not torch.allclose(alone[name], first[name])
    assert torch.allclose(mean[name], 0.75 * first[name] + 0.25 * alone[name], atol=1e-6)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["--start-share", "0.3"], "--start-share is of initial weights, and there are none"),
        (["--start-share", "1", "--start", "x"], "--start-share is 1; wanted 0 to less than 1"),
        (["--start-share", "-0.1", "--start", "x"], "--start-share is -0.1; wanted 0 to less than 1"),
    ],
)
def test_a_share_of_no_weights_or_of_more_than_all_is_refused(given, reason, capsys):
    with pytest.raises(SystemExit):
        parse(["digits", *given], None)
    assert reason in capsys.readouterr().err


def test_weights_of_another_network_are_no_start(mnist_train, tmp_path):
    with pytest.raises(CommandError, match="TinyNet"):
        run_training(tmp_path, "--start", "weights/digits-tiny-1.0.safetensors", model="digits")


def test_a_students_card_carries_its_teachers(mnist_train, tmp_path):
    run_training(tmp_path / "teacher", "--epochs", "1", "--architecture", "LeNet5")
    teacher = tmp_path / "teacher" / "weights" / "digits-tiny-1.0.safetensors"
    run_training(tmp_path / "student", "--epochs", "1", "--teacher", str(teacher))
    card = json.loads((tmp_path / "student" / "weights" / "digits-tiny-1.0.json").read_text())
    assert [each["architecture"] for each in card["teachers"]] == ["LeNet5"]


def test_a_card_tells_once_where_an_ancestor_came_from(tmp_path):
    """A teacher that is the start, too, doubled the card with each training."""
    card = Card.read(ROOT / "weights" / "lenet5-1.0.json").without_history()
    sizes = []
    for number in range(6):
        card = dataclasses.replace(card, start=card, teachers=(card,), sha256=f"{number:064}")
        card.write(tmp_path / "card.json")
        sizes.append((tmp_path / "card.json").stat().st_size)
        assert Card.read(tmp_path / "card.json").start.sha256 == card.start.sha256
    assert sizes[5] - sizes[4] < 1.5 * (sizes[1] - sizes[0])


def test_a_students_loss_leaves_equal_logits_where_they_are():
    logits = (torch.randn(64, 10) * 10).requires_grad_()
    distillation_loss(logits, soften_logits(logits.detach())).sum().backward()
    assert logits.grad.abs().max() < 1e-6


def test_training_stops_early_and_keeps_the_best_weights(mnist_train):
    options = parse(["digits-tiny", "--epochs", "9", "--patience", "2", "--no-tracking"], None)
    trainer = Trainer(options, config_of(options), 100)
    for log_loss in (0.5, 0.3, 0.4, 0.35):
        trainer.end_epoch({"loss": 1.0, "held_out_log_loss": log_loss})
        with torch.no_grad():
            trainer.average.module.output.bias.fill_(log_loss)
    digits = mnist_train.take(slice(100))
    fit(trainer, digits, digits, Tracker())
    assert len(trainer.history) == 4
    assert trainer.trained().output.bias[0].item() == pytest.approx(0.5)  # filled after the epoch of 0.5, before 0.3's


def test_cross_validation_measures_each_digit_once_and_reports_the_spread(mnist_train, tmp_path):
    options = parse(["digits-tiny", "--folds", "3", "--limit", "600", "--epochs", "1", "--runs", str(tmp_path)], None)
    results = json.loads(cross_validate(options).read_text())
    accuracies = [fold["accuracy"] for fold in results["folds"]]
    assert len(accuracies) == 3
    assert results["summary"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert results["summary"]["accuracy"]["standard_deviation"] == pytest.approx(np.std(accuracies, ddof=1))


def test_one_fold_is_refused(capsys):
    with pytest.raises(SystemExit):
        parse(["digits", "--folds", "1"], None)
    assert "--folds is 1; wanted 2 or more" in capsys.readouterr().err


def test_temperature_takes_back_overconfidence():
    torch.manual_seed(0)
    logits = torch.randn(4000, 5)
    labels = torch.distributions.Categorical(logits=logits).sample()
    assert best_temperature(3 * logits, labels) == pytest.approx(3, rel=0.1)


def test_balance_raises_the_recall_of_a_rare_class():
    torch.manual_seed(0)
    labels = (torch.rand(4000) < 0.1).long()
    logits = torch.stack([torch.zeros(4000), (2 * labels - 1) + torch.randn(4000) - 1.5], dim=1)
    excess = torch.tensor([1.8, 0.2])
    balance = best_balance(logits, labels, excess)
    assert balance > 0
    assert measure(logits - balance * excess.log(), labels)["mean_recall"] > measure(logits, labels)["mean_recall"]


def test_calibration_is_part_of_the_weights():
    torch.manual_seed(0)
    network = build_network(ModelConfig("digits", "LeNet5", DIGITS)).eval()
    frames, labels = torch.rand(200, 1, 28, 28), torch.randint(0, 10, (200,))
    before = network(frames)
    calibrate(network, before, labels, None)
    assert network.config.temperature != 1
    assert torch.allclose(network(frames), before / network.config.temperature, atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, about SQLAlchemy
def test_a_run_is_recorded_with_options_epochs_results_and_files(mnist_train, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    short = ["digits-tiny", "--limit", "600", "--hold-out", "100", "--test-limit", "100", "--epochs", "2"]
    train.train(parse([*short, "--weights", str(tmp_path / "weights"), "--runs", str(tmp_path / "runs")], None))
    client = mlflow.MlflowClient(store_uri(tmp_path / "runs"))
    [run] = client.search_runs([client.get_experiment_by_name("digits-tiny").experiment_id])
    assert run.data.params["epochs"] == "2"
    assert [metric.step for metric in client.get_metric_history(run.info.run_id, "loss")] == [1, 2]
    assert 0 < run.data.metrics["test_accuracy"] < 1
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert client.get_experiment(run.info.experiment_id).artifact_location.startswith(tmp_path.as_uri())
    assert {"digits-tiny-1.0.safetensors", "digits-tiny-1.0.json", "history.png"} <= files


@pytest.mark.parametrize("weights", sorted((ROOT / "weights").glob("*.json")), ids=lambda path: path.stem)
def test_a_card_is_written_as_it_was_read(weights, tmp_path):
    Card.read(weights).write(tmp_path / "card.json")
    assert (tmp_path / "card.json").read_text() == weights.read_text()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('"n": 10000', '"n": "many"'), r"card\.json: .*metrics\[0\]\.n is 'many'; wanted int"),
        (('"seed"', '"sead"'), r"card\.json: unknown field (teachers\[0\]\.)?sead"),
        (('"set": "MNIST test",', ""), r"card\.json: field .*metrics\[0\]\.set is missing"),
        (("{", "[", 1), r"card\.json: not a card"),
    ],
    ids=["type", "unknown", "missing", "no JSON"],
)
def test_a_wrong_card_is_refused_with_file_and_field(change, complaint, tmp_path):
    text = (ROOT / "weights" / "lenet5-1.0.json").read_text()
    (tmp_path / "card.json").write_text(text.replace(*change))
    with pytest.raises(CardError, match=complaint):
        Card.read(tmp_path / "card.json")


def test_a_file_that_the_manifest_does_not_list_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    Manifest("own", {}).write(tmp_path / "manifest.json")
    with pytest.raises(DataError, match="does not list mnist/t10k-labels"):
        read_idx("mnist/t10k-labels-idx1-ubyte.gz", 1)


def test_a_file_with_other_contents_than_the_manifest_says_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    name = "mnist/t10k-labels-idx1-ubyte.gz"
    write_idx(tmp_path / name, np.zeros(3, np.uint8))
    Manifest("own", {name: "0" * 64}).write(tmp_path / "manifest.json")
    with pytest.raises(DataError, match="sha256"):
        read_idx(name, 1)
