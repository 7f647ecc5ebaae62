"""What the Models page knows and does: with a real server of its own, and with a small one for what goes wrong."""

import os
from contextlib import ExitStack
from unittest import mock

import pytest

from dashboard.catalogue import Served
from dashboard.comparison import compare
from dashboard.fleet import Version, Worker
from dashboard.management import Management, ManagementError, describe, summary
from deploy.local.settings import ROOT
from evaluation.server import running_stack
from handwriting.client import ServerDown
from tests.answering import closed_port
from tests.conftest import drawings

DIGITS, TINY = Served("digits", "1.0"), Served("digits-tiny", "1.0")
ARCHIVES = [ROOT / "model_store" / f"{each.model}-1.0.mar" for each in (DIGITS, TINY)]


@pytest.fixture(scope="module")
def server():
    """TorchServe with two recognisers, which may be loaded and unloaded."""
    with ExitStack() as running:
        with mock.patch.dict(os.environ, TS_ENABLE_MODEL_API="true"):
            started = running.enter_context(running_stack(*ARCHIVES))
        yield started


@pytest.fixture
def management(server) -> Management:
    return Management(server.settings.url("MANAGEMENT_PORT"))


@pytest.mark.server
def test_all_versions_are_listed_with_their_workers(management):
    states = management.fleet()
    assert [each.served for each in states] == [DIGITS, TINY]
    assert [(each.ready, each.wanted, each.waiting) for each in states] == [(1, 1, 0), (1, 1, 0)]
    assert (states[0].batch_size, states[0].delay_ms) == (32, 1)


@pytest.mark.server
def test_a_card_is_what_the_archive_has(management):
    card = management.card(DIGITS)
    assert card["parameters"] == 426746
    assert "426,746 parameters" in summary(card)
    assert "% on MNIST test (n = 10,000)" in summary(card)


@pytest.mark.server
def test_workers_are_scaled_up_and_down(management):
    for count in (2, 1):
        management.scale(TINY, count)
        state = next(each for each in management.fleet() if each.served == TINY)
        assert (state.ready, state.wanted) == (count, count)


@pytest.mark.server
def test_the_only_version_can_be_made_the_default_again(management):
    management.make_default(TINY)
    assert management.fleet()[1].served.default


@pytest.mark.server
def test_a_version_is_unloaded_and_loaded_again(management):
    management.unload(TINY)
    assert [each.served for each in management.fleet()] == [DIGITS]
    management.load("digits-tiny-1.0.mar")
    assert management.fleet()[1].ready == 1


@pytest.mark.server
def test_what_is_not_there_is_named(management):
    with pytest.raises(ManagementError, match=r"(?i)nothing-1\.0\.mar"):
        management.load("nothing-1.0.mar")
    with pytest.raises(ManagementError, match=r"9\.9"):
        management.make_default(Served("digits", "9.9"))


@pytest.mark.server
def test_loading_is_off_unless_it_is_turned_on(stack):
    management = Management(stack.management_url)
    with pytest.raises(ManagementError, match="TS_ENABLE_MODEL_API=true make up"):
        management.load("digits-1.0.mar")
    assert DIGITS in [each.served for each in management.fleet()]


@pytest.mark.server
def test_two_recognisers_are_compared_picture_by_picture(server, monkeypatch):
    monkeypatch.setenv("INKSERVE_URL", server.settings.url("INFERENCE_PORT"))
    pictures = {path.name: path.read_bytes() for path in drawings()[:6]} | {"broken.png": b"no picture"}
    rows = compare(DIGITS, TINY, pictures)
    assert [row["name"] for row in rows] == list(pictures)
    assert all(row["agree"] == (row["digits 1.0"] == row["digits-tiny 1.0"]) for row in rows)
    assert rows[0]["digits 1.0"] == drawings()[0].name[0]
    assert rows[0]["picture"].startswith("data:image/png")
    assert (rows[-1]["digits 1.0"], rows[-1]["digits 1.0, confidence"], rows[-1]["picture"]) == (
        "InvalidImage",
        None,
        None,
    )


def test_a_server_that_is_down_is_told(monkeypatch):
    url = closed_port()
    with pytest.raises(ManagementError, match=url):
        Management(url).fleet()
    monkeypatch.setenv("INKSERVE_URL", url)
    with pytest.raises(ServerDown):
        compare(DIGITS, TINY, {"7.png": drawings()[0].read_bytes()})


def test_a_state_is_said_in_a_line():
    workers = (Worker("9000", 1, True, 200 * 2**20), Worker("9001", 2, False, 0))
    state = Version("digits", "1.0", True, workers, wanted=2, waiting=3, batch_size=32, delay_ms=1)
    assert describe(state) == "1 of 2 workers ready · 3 waiting · 200 MiB · batches of up to 32 within 1 ms"
    assert summary({}) == "No card: no worker answers."
