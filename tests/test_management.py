"""The management of a real server, as the Models and Fine-tune pages use it, and what these pages show of it."""

import json
import os
import shutil
from unittest import mock

import pytest
import requests

from dashboard.finetune import rollout
from dashboard.finetune.rollout import Stage
from dashboard.models.cards import differences, summary
from dashboard.models.page import describe
from dashboard.shared.endpoint import Endpoint
from dashboard.shared.loaded_versions import DEFAULTS_VARIABLE, make_default
from dashboard.shared.recogniser_comparison import compare
from deploy.archive import pack
from deploy.default_versions import FILE, Defaults
from deploy.local.served_versions import versions
from deploy.local.settings import ROOT
from inkserve import ServerDown
from inkserve.management import Management, ManagementError, ModelApiOffError, ModelVersion, Worker
from measuring.common.temporary_server import running_stack
from tests.answering import closed_port
from tests.conftest import drawings
from tests.finetuned_version import finetuned_version

DIGITS, TINY = ("digits", "1.0"), ("digits-tiny", "1.0")
NAMES = ["digits 1.0", "digits-tiny 1.0"]
ARCHIVES = [ROOT / "model_store" / f"{model}-{version}.mar" for model, version in (DIGITS, TINY)]


@pytest.fixture(scope="module")
def server():
    """TorchServe with two recognisers, which may be loaded and unloaded."""
    with mock.patch.dict(os.environ, TS_ENABLE_MODEL_API="true"), running_stack(*ARCHIVES) as started:
        yield started


@pytest.fixture
def management(server) -> Management:
    return Management(server.settings.url("MANAGEMENT_PORT"))


@pytest.mark.server
def test_all_versions_are_listed_with_their_workers(management):
    found = management.versions()
    assert [each.name for each in found] == NAMES
    assert [(each.ready_workers, each.wanted_workers, each.waiting) for each in found] == [(2, 2, 0), (1, 1, 0)]
    assert (found[0].batch_size, found[0].batch_delay_ms) == (16, 1)


@pytest.mark.server
def test_a_card_is_what_the_archive_has(management):
    card = management.card("digits", "1.0")
    assert card["parameters"] == 426746
    assert "426,746 parameters" in summary("digits", card)
    assert "% on MNIST test (n = 10,000)" in summary("digits", card)


@pytest.mark.server
def test_workers_are_scaled_up_and_down(management):
    for count in (2, 1):
        management.scale(*TINY, count)
        found = next(each for each in management.versions() if each.model == "digits-tiny")
        assert (found.ready_workers, found.wanted_workers) == (count, count)


@pytest.mark.server
def test_the_only_version_can_be_made_the_default_again(management):
    management.set_default(*TINY)
    assert management.versions()[1].is_default


@pytest.mark.server
def test_a_version_is_unloaded_and_loaded_again(server, management):
    management.unload(*TINY)
    assert [each.name for each in management.versions()] == NAMES[:1]
    assert versions(server.settings) == ["digits/1.0"]  # `make up` and `make status` don't wait for what was unloaded
    management.load("digits-tiny-1.0.mar")
    assert versions(server.settings) == ["digits/1.0", "digits-tiny/1.0"]
    found = management.versions()[1]
    assert found.ready_workers == 1
    assert (found.batch_size, found.batch_delay_ms) == (
        16,
        1,
    )  # as in config/digits-tiny.yaml, not the API's 1 and 100


@pytest.mark.server
def test_what_is_not_there_is_named(management):
    with pytest.raises(ManagementError, match=r"(?i)nothing-1\.0\.mar"):
        management.load("nothing-1.0.mar")
    with pytest.raises(ManagementError, match=r"9\.9"):
        management.set_default("digits", "9.9")


@pytest.mark.server
@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/a.mar", "file:///etc/passwd", "../{0}", "{1}/{0}", "file://{1}/{0}", "file://{2}/../{0}"],
)
def test_an_archive_from_elsewhere_is_refused(server, management, tmp_path, url):
    shutil.copy(ROOT / "model_store" / "lenet5-1.0.mar", tmp_path)
    shutil.copy(ROOT / "model_store" / "lenet5-1.0.mar", server.settings.run_dir)  # beside the model store
    with pytest.raises(ManagementError, match=r"does not match any allowed URL|Relative path|not found"):
        management.load(url.format("lenet5-1.0.mar", tmp_path, server.settings.model_store))
    assert [each.name for each in management.versions()] == NAMES


def answering(server) -> str:
    """The version of digits-tiny that answers where none is named."""
    url = f"{server.settings.url('INFERENCE_PORT')}/predictions/digits-tiny"
    return requests.post(url, data=drawings()[0].read_bytes(), timeout=20).json()["version"]


@pytest.mark.server
def test_a_finetuned_version_is_loaded_promoted_and_rolled_back(server, management, tmp_path, monkeypatch):
    monkeypatch.setenv(DEFAULTS_VARIABLE, str(tmp_path / FILE))
    found, archives = finetuned_version(tmp_path / "finetuned"), server.settings.model_store
    for _ in range(2):  # again, as a second click or a second visitor would
        rollout.load(found, management, archives)
        assert rollout.stage_of(found, management.versions()) is Stage.BESIDE
    assert answering(server) == "1.0"
    for _ in range(2):
        rollout.promote(found, management)
        assert rollout.stage_of(found, management.versions()) is Stage.DEFAULT
    assert answering(server) == "1.1"
    assert Defaults(tmp_path / FILE).read() == {"digits-tiny": "1.1"}
    for _ in range(2):
        rollout.roll_back(found, management, archives, delete=True)
        assert rollout.stage_of(found, management.versions()) is Stage.NOT_LOADED
    assert answering(server) == "1.0"
    assert Defaults(tmp_path / FILE).read() == {"digits-tiny": "1.0"}
    assert not (archives / "digits-tiny-1.1.mar").exists()
    assert found.weights.exists()


@pytest.mark.server
def test_two_recognisers_are_compared_picture_by_picture(server, monkeypatch):
    monkeypatch.setenv("INKSERVE_URL", server.settings.url("INFERENCE_PORT"))
    pictures = {path.name: path.read_bytes() for path in drawings()[:6]} | {"broken.png": b"no picture"}
    first, *_, broken = compared = compare(Endpoint(*DIGITS), Endpoint(*TINY), pictures)
    assert [each.name for each in compared] == list(pictures)
    assert all(each.agrees == (each.labels[0] == each.labels[1]) for each in compared)
    assert first.labels[0] == drawings()[0].name[0]
    assert first.thumbnail.startswith("data:image/png")
    assert (broken.labels, broken.confidences, broken.thumbnail) == (("InvalidImage",) * 2, (None, None), None)


def test_a_server_that_is_down_is_named(monkeypatch):
    url = closed_port()
    with pytest.raises(ManagementError, match=url):
        Management(url).versions()
    monkeypatch.setenv("INKSERVE_URL", url)
    with pytest.raises(ServerDown):
        compare(Endpoint(*DIGITS), Endpoint(*TINY), {"7.png": drawings()[0].read_bytes()})


def test_a_version_is_described_in_a_line():
    workers = (Worker("9000", 1, True, 200 * 2**20), Worker("9001", 2, False, 0))
    version = ModelVersion("digits", "1.0", True, workers, 2, waiting=3, batch_size=32, batch_delay_ms=1)
    assert describe(version) == "1 of 2 workers ready · 3 waiting · 200 MiB · batches of up to 32 within 1 ms"
    assert summary("digits", {}) == "No card, because no worker answers."


@pytest.mark.parametrize(
    ("model", "weights", "wanted"),
    [
        ("digits", "digits", "Reads one digit, 0 to 9. ConvNet: 426,746 parameters"),
        ("characters", "characters", "Reads one digit or letter, as one of 47 labels. ResidualNet:"),
        ("reader", "characters", "Reads pages: lines of digits and letters. The network is that of characters:"),
    ],
)
def test_a_card_is_summed_up_in_words(model, weights, wanted):
    card = json.loads((ROOT / "weights" / f"{weights}-1.0.json").read_text())
    assert summary(model, card).startswith(wanted)


def test_the_default_is_the_chosen_version_or_the_lowest(tmp_path):
    record = Defaults(tmp_path / "new" / FILE)
    assert record.among("digits", ["1.10", "1.9"]) == "1.9"
    record.choose("digits", "1.10")
    record.choose("lenet5", "2.0")
    assert record.among("digits", ["1.10", "1.9"]) == "1.10"
    assert record.among("digits", ["1.11", "1.9"]) == "1.9"  # the chosen one is there no more
    assert json.loads(record.path.read_text()) == {"digits": "1.10", "lenet5": "2.0"}
    record.path.write_text('{"digits": ')
    assert record.among("digits", ["1.10", "1.9"]) == "1.9"


@pytest.mark.server
def test_after_a_restart_the_same_versions_are_the_default(server, management, tmp_path, monkeypatch):
    """The last test with this server: it is started again, and loads and unloads nothing then, as by default."""
    shutil.copy(ROOT / "weights" / "digits-1.0.safetensors", tmp_path / "digits-1.1.safetensors")
    shutil.copy(ROOT / "weights" / "digits-1.0.json", tmp_path / "digits-1.1.json")
    pack(tmp_path / "digits-1.1.safetensors", server.settings.model_store)
    tuned = finetuned_version(tmp_path / "finetuned")
    pack(tuned.weights, server.settings.model_store)
    management.load("digits-tiny-1.1.mar")
    monkeypatch.setenv(DEFAULTS_VARIABLE, str(server.settings.run_dir / FILE))
    make_default(management, "digits-tiny", "1.1")
    server.stop("torchserve")
    monkeypatch.delenv("TS_ENABLE_MODEL_API")
    server.start("torchserve")
    defaults = [each.name for each in management.versions() if each.is_default]
    assert defaults == ["digits 1.0", "digits-tiny 1.1"]
    for refused in (lambda: management.load("digits-1.0.mar"), lambda: management.unload("digits", "1.1")):
        with pytest.raises(ModelApiOffError, match="TS_ENABLE_MODEL_API=true make up"):
            refused()
    assert len(management.versions()) == 4

    archives = server.settings.model_store
    later = finetuned_version(tmp_path / "finetuned", "1.2")
    with pytest.raises(ModelApiOffError, match=r"digits-tiny-1\.2\.mar is packed, and `make up` loads it"):
        rollout.load(later, management, archives)
    assert (archives / "digits-tiny-1.2.mar").exists()
    with pytest.raises(ModelApiOffError, match=r"digits-tiny 1\.0 is the default, but digits-tiny 1\.1 stays loaded"):
        rollout.roll_back(tuned, management, archives, delete=True)
    assert not (archives / "digits-tiny-1.1.mar").exists()
    assert answering(server) == "1.0"


def test_two_cards_differ_in_what_they_say_differently():
    cards = [json.loads((ROOT / "weights" / f"{name}-1.0.json").read_text()) for name in ("digits", "digits-tiny")]
    found = {name: (one, other) for name, one, other in differences(*cards)}
    assert found["Parameters"] == tuple(f"{each['parameters']:,}" for each in cards)
    assert found["Right on MNIST test"] == tuple(f"{100 * each['metrics'][0]['accuracy']:.2f} %" for each in cards)
    assert "Labels" not in found
    assert differences(cards[0], cards[0]) == []
    assert differences(cards[0], {})  # no worker answers
