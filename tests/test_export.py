import dataclasses
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from deploy.local.settings import ROOT
from handwriting.checkpoint import load_checkpoint, save_checkpoint
from handwriting.labels import DIGITS, LABELS
from handwriting.networks import ModelConfig, Network, build_network, count_parameters
from handwriting.preprocess import unit_frames
from inkserve.command import run
from training.card import Card, CardError, card_path
from training.data import title_of
from training.export import __main__ as make
from training.export import prune as prune_command
from training.export import table, torchscript
from training.export.formats import FORMATS, Format
from training.export.prune import count_zeros, hold_zeros, prunable, prune
from training.export.source import DamagedError, ParityError, Source, find_weights, load_source
from training.export.store import characters_to_check, check_probabilities, compare, export_card_path, open_export
from training.export.table import Timings, summarise
from training.finish import save_with_card
from training.provenance import command, processor
from training.trainer import Trainer

WEIGHTS = ROOT / "weights"
EXACT = [name for name, form in FORMATS.items() if form.exact]


@pytest.fixture(scope="session")
def digits() -> Source:
    return load_source(WEIGHTS / "digits-1.0.safetensors")


@pytest.fixture(scope="session")
def exports(tmp_path_factory, small_data):
    """A folder with digits 1.0 in every format that can be made here."""
    folder = tmp_path_factory.mktemp("exports")
    assert export(["digits", "--weights", str(WEIGHTS), "--exports", str(folder)]) == 0
    return folder


def form_of(name: str, exports) -> Format:
    form = FORMATS[name]
    if not (exports / "digits-1.0" / form.file).exists():
        pytest.skip(f"{form.title} cannot be made here: {form.why_absent(form.writing) or 'no training data'}")
    return form


def small_network(seed: int = 0) -> Network:
    """An untrained network of three looks, whose logits are as far apart as a trained one's."""
    torch.manual_seed(seed)
    network = build_network(ModelConfig("digits-tiny", "TinyNet", DIGITS, turns_deg=(6, -6))).eval()
    network.rescale_logits(40.0, torch.zeros(10))
    return network


@pytest.fixture
def tiny(tmp_path) -> Source:
    """An untrained `digits-tiny`, with its card."""
    path = tmp_path / "weights" / "digits-tiny-1.0.safetensors"
    path.parent.mkdir()
    about = {"version": "1.0", "seed": 0, "epochs": 0, "commit": "none"}
    save_with_card(small_network(), path, {}, metrics=(), **about)
    return load_source(path)


def export(arguments: list[str]) -> int:
    return run("export", lambda: make.main(arguments))


def prune_weights(arguments: list[str]) -> int:
    return run("prune", lambda: prune_command.main(arguments))


def measure(arguments: list[str]) -> int:
    return run("table", lambda: table.main(arguments))


def arguments(source: Source, folder, *more: str) -> list[str]:
    model = source.network.config.model
    return [model, "--weights", str(source.weights.parent), "--exports", str(folder), *more]


@pytest.mark.parametrize("name", EXACT)
def test_an_export_says_what_torch_says_of_real_frames(name, digits, exports):
    reader = open_export(digits, form_of(name, exports), exports)
    parity = compare(reader, digits.predictor(), *characters_to_check("mnist"), exact=False)
    assert parity.agreement == 1
    assert parity.max_difference <= 1e-4
    assert parity.accuracy > 0.9


def test_int8_reads_nearly_all_real_frames_as_torch_does_in_a_third_of_the_bytes(digits, exports):
    reader = open_export(digits, form_of("int8", exports), exports)
    parity = compare(reader, digits.predictor(), *characters_to_check("mnist"), exact=False)
    assert parity.agreement > 0.98
    assert parity.max_difference > 1e-4  # or it was not quantised
    folder = exports / "digits-1.0"
    assert (folder / "model-int8.onnx").stat().st_size < (folder / "model.onnx").stat().st_size / 3


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [2, 3, 64, 70])
def test_a_batch_of_any_size_gives_each_frame_what_it_gets_alone(name, size, digits, exports):
    reader = open_export(digits, form_of(name, exports), exports)
    frames = np.resize(unit_frames(characters_to_check("mnist")[0].images), (size, 1, 28, 28))
    alone = np.concatenate([reader.predict(frame[None]) for frame in frames])
    together = reader.predict(frames)
    assert together.shape == (size, 10)
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(together.sum(axis=1) - 1).max() < 1e-5


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_carries_model_version_labels_and_normal_form(name, digits, exports):
    form = form_of(name, exports)
    metadata = dict(form.open(exports / "digits-1.0" / form.file).metadata)
    assert json.loads(metadata.pop("labels")) == list(LABELS["digits"])
    assert metadata == {"model": "digits", "version": "1.0", "normal_form": "mnist"}


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_does_not_name_the_folders_of_who_made_it(name, exports):
    content = (exports / "digits-1.0" / form_of(name, exports).file).read_bytes()
    assert str(ROOT).encode() not in content
    assert b"site-packages" not in content


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_with_one_changed_bit_is_refused(name, digits, exports, tmp_path):
    form = form_of(name, exports)
    damage(copied(form, exports, tmp_path))
    with pytest.raises(DamagedError, match="sha256"):
        open_export(digits, form, tmp_path)


def test_an_export_without_a_card_is_refused(digits, exports, tmp_path):
    path = copied(FORMATS["torchscript"], exports, tmp_path)
    export_card_path(path.parent, FORMATS["torchscript"]).unlink()
    with pytest.raises(CardError, match="No such file"):
        open_export(digits, FORMATS["torchscript"], tmp_path)


def test_an_export_of_weights_that_have_changed_since_is_refused(tiny, tmp_path):
    assert export(arguments(tiny, tmp_path, "--format", "torchscript")) == 0
    open_export(tiny, FORMATS["torchscript"], tmp_path)
    save_checkpoint(small_network(seed=1), tiny.weights)
    with pytest.raises(DamagedError, match="made from other weights"):
        open_export(load_source(tiny.weights), FORMATS["torchscript"], tmp_path)


@pytest.mark.parametrize("what", ["labels", "probabilities"])
def test_an_export_that_does_not_say_what_torch_says_fails_and_is_not_kept(what, tiny, tmp_path, monkeypatch, capsys):
    def write(source, path, right=torchscript.write_torchscript):
        wrong = load_checkpoint(source.weights)
        if what == "labels":
            wrong.rescale_logits(1.0, torch.linspace(-50, 50, 10))
        else:
            wrong.rescale_logits(1.01, torch.zeros(10))
        right(dataclasses.replace(source, network=wrong), path)

    monkeypatch.setattr(torchscript, "write_torchscript", write)
    assert export(arguments(tiny, tmp_path, "--format", "torchscript")) == 1
    assert "digits-tiny-1.0, TorchScript: differs from torch" in capsys.readouterr().err
    assert not list((tmp_path / "digits-tiny-1.0").iterdir())


def test_an_exporter_that_fails_gives_exit_code_1(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torchscript, "write_torchscript", lambda _, path: path.write_bytes(b"not an archive"))
    assert export(arguments(tiny, tmp_path, "--format", "torchscript")) == 1
    assert "cannot be opened" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (np.full((2, 10), np.nan, np.float32), "add up"),
        (np.full((2, 10), 0.2, np.float32), "add up"),
        (np.full((2, 9), 1 / 9, np.float32), "output is"),
        (np.full((2, 10), 0.1, np.float64), "output is"),
    ],
    ids=["not a number", "no probabilities", "a label short", "float64"],
)
def test_output_that_is_no_probabilities_is_refused(output, complaint):
    with pytest.raises(ParityError, match=complaint):
        check_probabilities(output, (2, 10))


def test_a_format_that_is_not_installed_is_reported_and_no_failure(tiny, tmp_path, monkeypatch, capsys):
    for name in FORMATS.keys() - {"torchscript"}:
        monkeypatch.setitem(FORMATS, name, dataclasses.replace(FORMATS[name], writing=("no_such_package",)))
    assert export(arguments(tiny, tmp_path)) == 0
    assert "digits-tiny-1.0, ExecuTorch, XNNPACK: absent: no_such_package not installed" in capsys.readouterr().out


def test_an_absent_format_that_was_asked_for_by_name_is_a_failure(tiny, tmp_path, monkeypatch, capsys):
    absent = dataclasses.replace(FORMATS["executorch"], writing=("no_such_package",))
    monkeypatch.setitem(FORMATS, "executorch", absent)
    assert export(arguments(tiny, tmp_path, "--format", "executorch")) == 1
    assert "absent: no_such_package not installed" in capsys.readouterr().err


def test_without_data_exports_are_checked_on_our_own_drawings(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "nothing"))
    assert export(arguments(tiny, tmp_path, "--format", "torchscript")) == 0
    assert "of 30 (examples/digits)" in capsys.readouterr().out


def test_without_training_data_int8_is_absent(tiny, tmp_path, monkeypatch, capsys):
    if reason := FORMATS["int8"].why_absent(FORMATS["int8"].writing):
        pytest.skip(reason)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "nothing"))
    assert export(arguments(tiny, tmp_path, "--format", "int8")) == 1
    assert "ONNX, int8: absent: no MNIST train in" in capsys.readouterr().err


def test_a_recogniser_without_weights_gives_exit_code_1(tmp_path, capsys):
    assert export(["digits", "--weights", str(tmp_path), "--exports", str(tmp_path)]) == 1
    assert "no weights of digits" in capsys.readouterr().err


def test_weights_of_another_recogniser_give_exit_code_1(tiny, tmp_path, capsys):
    tiny.weights.rename(tiny.weights.with_name("lenet5-1.0.safetensors"))
    assert export(["lenet5", "--weights", str(tiny.weights.parent), "--exports", str(tmp_path)]) == 1
    assert "holds the weights of digits-tiny" in capsys.readouterr().err


def test_a_recogniser_is_not_taken_for_one_whose_name_begins_alike(tmp_path):
    for name in ("characters-1.0", "characters-1.1", "characters-edge-1.0"):
        (tmp_path / f"{name}.safetensors").touch()
    found = [path.stem for path in find_weights(tmp_path, ["characters"])]
    assert found == ["characters-1.0", "characters-1.1"]


def weights_of(network: Network) -> torch.Tensor:
    return torch.cat([layer.weight.detach().flatten() for layer in prunable(network)])


def test_pruning_sets_the_given_share_of_the_least_weights_to_zero():
    network = small_network()
    before = weights_of(network).abs()
    prune(network, 0.3)
    gone = weights_of(network) == 0
    assert (int(gone.sum()), len(gone)) == (round(0.3 * len(gone)), len(before)) == count_zeros(network)
    assert before[gone].max() <= before[~gone].min()


def test_pruned_weights_stay_zero_in_training_while_the_others_move():
    start = small_network()
    prune(start, 0.5)
    options = prune_command.parse(["digits-tiny", "--lr", "0.01", "--batch-size", "8", "--epochs", "1"])
    options.teacher = []
    trainer = Trainer(options, start.config, 80, start=start)
    hold_zeros(trainer.network)
    for _ in range(10):
        trainer.step(torch.rand(8, 1, 28, 28), torch.randint(10, (8,)))
    before, after = weights_of(start), weights_of(trainer.trained())
    assert torch.equal(after == 0, before == 0)
    assert (after != before)[before != 0].float().mean() > 0.9


def short_pruning(tiny: Source, folder) -> list[str]:
    short = ["--limit", "300", "--hold-out", "100", "--test-limit", "100", "--epochs", "1", "--sparsity", "0.4"]
    return arguments(tiny, folder, *short)


def test_the_pruning_command_writes_a_checkpoint_with_its_zeros_and_a_card(tiny, tmp_path, mnist_train, capsys):
    assert prune_weights(short_pruning(tiny, tmp_path)) == 0
    path = tmp_path / "digits-tiny-1.0" / "pruned.safetensors"
    network, card = load_checkpoint(path), Card.read(card_path(path))
    zeros, total = count_zeros(network)
    assert zeros == round(0.4 * total)
    assert card.sparsity == round(0.4 * total) / total
    assert card.nonzero_parameters == count_parameters(network) - round(0.4 * total)
    assert card.bytes == path.stat().st_size == tiny.weights.stat().st_size
    assert card.bytes_zipped < card.unpruned.bytes_zipped
    title = title_of("mnist", "test")
    titles = [metric.set for metric in card.metrics]
    assert titles == [title, f"{title}, before pruning", f"{title}, pruned, before training on"]
    assert "40.0% of the weights are zero" in capsys.readouterr().out


def test_a_sparsity_of_all_weights_is_refused(capsys):
    with pytest.raises(SystemExit):
        prune_command.parse(["digits-tiny", "--sparsity", "1"])
    assert "less than 1" in capsys.readouterr().err


def short_table(source: Source, exports, out) -> list[str]:
    short = ["--rounds", "2", "--calls", "5", "--batches", "2", "--test-limit", "300"]
    return arguments(source, exports, "--out", str(out), *short)


def test_the_table_has_every_export_and_says_which_formats_are_absent(tiny, tmp_path, mnist_train, monkeypatch):
    for name in FORMATS.keys() - {"torchscript"}:
        monkeypatch.setitem(FORMATS, name, dataclasses.replace(FORMATS[name], writing=("no_such_package",)))
    assert export(arguments(tiny, tmp_path)) == 0
    assert prune_weights(short_pruning(tiny, tmp_path)) == 0
    assert measure(short_table(tiny, tmp_path, tmp_path / "results")) == 0
    model = json.loads((tmp_path / "results" / "exports.json").read_text())["models"][0]
    rows = {row["format"]: row for row in model["formats"]}
    assert list(rows) == ["torch", "torchscript", "pruned"]
    assert rows["torchscript"]["bytes"] == (tmp_path / "digits-tiny-1.0" / "model.pt").stat().st_size
    assert rows["torchscript"]["accuracy"] == rows["torch"]["accuracy"]
    assert rows["torch"]["throughput_times_as_fast"] == {"median": 1, "min": 1, "max": 1}
    assert model["absent"].keys() == FORMATS.keys() - {"torchscript"}
    page = (tmp_path / "results" / "exports.md").read_text()
    assert f"{title_of('mnist', 'test')}, the first, n = 300." in page
    assert "- ExecuTorch, XNNPACK: not exported: no_such_package not installed" in page
    assert "Pruned: 40.0% of the weights are zero" in page


def test_the_table_measures_every_format_that_can_be_made_here(digits, exports, mnist_test, tmp_path):
    assert measure(short_table(digits, exports, tmp_path)) == 0
    model = json.loads((tmp_path / "exports.json").read_text())["models"][0]
    made = {name for name, form in FORMATS.items() if (exports / "digits-1.0" / form.file).exists()}
    assert {row["format"] for row in model["formats"]} == made | {"torch"}
    assert all(row["accuracy"] > 0.98 for row in model["formats"])


@pytest.mark.parametrize("name", ["model.pt", "pruned.safetensors"])
def test_the_table_names_a_damaged_file_and_is_not_written(name, tiny, tmp_path, mnist_train, capsys):
    assert export(arguments(tiny, tmp_path, "--format", "torchscript")) == 0
    if name == "pruned.safetensors":
        assert prune_weights(short_pruning(tiny, tmp_path)) == 0
    damage(tmp_path / "digits-tiny-1.0" / name)
    assert measure(short_table(tiny, tmp_path, tmp_path / "results")) == 1
    assert f"{name} is damaged" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_ratio_is_the_median_over_rounds_and_has_its_ends():
    calls = np.ones((3, 4))
    half, equal, quarter = 0.5, 1.0, 0.25
    fast = Timings(calls * [[half], [equal], [quarter]], calls * [[half], [equal], [quarter]])
    figures = summarise(fast, Timings(calls, calls))
    wanted = {"median": 2, "min": 1, "max": 4}
    assert figures["p50_times_as_fast"] == figures["p95_times_as_fast"] == wanted
    assert figures["throughput_times_as_fast"] == wanted
    assert figures["p50_ms"] == 0.5
    assert figures["pictures_per_s"] == 64 / 0.5e-3


def test_the_processor_is_named_as_the_system_names_it(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Abacus 3000\n\nmodel name\t: Abacus 3000\n")
    assert processor(cpuinfo) == "Abacus 3000"


def copied(form: Format, exports, folder):
    """Copy an export of digits 1.0 and its card into another folder, and return its path."""
    source, target = exports / "digits-1.0", folder / "digits-1.0"
    target.mkdir()
    for path in (source / form.file, export_card_path(source, form)):
        (target / path.name).write_bytes(path.read_bytes())
    return target / form.file


def damage(path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_command_of_a_card_is_what_one_would_type(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", SimpleNamespace(name="training.ink.__main__"))
    monkeypatch.setattr(sys, "argv", ["/x/__main__.py", "--epochs", "2"])
    assert command() == "python -m training.ink --epochs 2"
