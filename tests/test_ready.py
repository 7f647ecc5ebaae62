"""`/ready`: what the real server says of itself while it loads, when a load has failed, and when a worker is gone."""

import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from deploy.checksums import MANIFEST, copy_archive, write_checksum
from deploy.local import torchserve
from deploy.local.settings import ROOT, read_settings
from deploy.local.stack import Stack
from inkserve.management import Management
from inkserve.readiness import Readiness, VersionReadiness, read_readiness
from measuring.common.altered_archives import BROKEN, alter_archive
from measuring.common.temporary_server import count_batches
from tests.answering import SEVEN, SILENCE, answering, closed_port, error
from tests.conftest import port_variables

TINY = ROOT / "model_store" / "digits-tiny-1.0.mar"
PATIENCE_S = 120
STATE = {"model": "digits", "version": "1.0", "ready_workers": 1, "wanted_workers": 2, "waiting": 3, "is_default": True}
VERSION = VersionReadiness("digits", "1.0", ready_workers=1, wanted_workers=2, waiting=3, is_default=True)


# What a client makes of the answer


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ((200, {"ready": True, "versions": [STATE]}), Readiness("", True, (VERSION,))),
        ((503, {"ready": False, "reason": "why", "versions": [STATE]}), Readiness("why", True, (VERSION,))),
        ((503, {"ready": False, "versions": []}), Readiness("it is not ready", True)),
        (SILENCE, Readiness("it does not answer in time", is_silent=True)),
        (error(404), Readiness("it answers /ready with status 404, and not as Inkserve does")),
        ((200, {"ready": True}), Readiness("it answers /ready with status 200, and not as Inkserve does")),
        ((200, b"Healthy"), Readiness("it answers /ready with status 200, and not as Inkserve does")),
    ],
    ids=["ready", "not ready", "no reason", "no answer", "another server", "another document", "no document"],
)
def test_the_answer_is_read(reply, wanted):
    with answering((200, SEVEN)) as server:
        server.documents["/ready"] = reply
        assert read_readiness(server.url, timeout_s=(0.5, 0.5)) == wanted


def test_a_server_that_is_down_is_not_ready():
    assert read_readiness(closed_port()) == Readiness("the connection is refused")


def test_all_workers_are_more_than_one():
    assert not Readiness("", True, (VERSION,)).has_all_workers()
    assert Readiness("", True, (VersionReadiness("digits", "1.0", 2, 2, 0, True),)).has_all_workers()


def test_a_recogniser_answers_although_another_one_does_not():
    found = Readiness(
        "lenet5 1.0 has no ready worker of 1", True, (VERSION, VersionReadiness("lenet5", "1.0", 0, 1, 0, True))
    )
    assert (found.fault("digits"), found.fault("lenet5")) == ("", "lenet5 1.0 has no ready worker of 1")
    assert Readiness("", True, (VERSION,)).fault("runes") == "it has no recogniser runes"
    assert Readiness("no answer").fault("digits") == "no answer"


# The real server


@contextmanager
def starting(*archives: Path, folder: Path) -> Iterator[Stack]:
    """Start TorchServe with tokens and these archives, and do not wait for it."""
    store = folder / "model_store"
    store.mkdir()
    for each in archives:
        copy_archive(each, store)
    variables = port_variables() | {"RUN_DIR": str(folder / "stack"), "MODEL_STORE": str(store), "TOKENS": "on"}
    stack = Stack(read_settings(variables))
    try:
        stack.record.add("torchserve", torchserve.start(stack.settings))
        yield stack
    finally:
        stack.stop("torchserve")


def without_runtime(archive: Path, folder: Path) -> Path:
    """A copy that our own check lets pass, and TorchServe does not load."""
    copy = alter_archive(archive, folder, "unloadable", "1.0")
    with zipfile.ZipFile(copy) as packed:
        contents = {name: packed.read(name) for name in packed.namelist()}
    manifest = json.loads(contents[MANIFEST])
    contents[MANIFEST] = json.dumps(manifest | {"runtime": "cobol"}).encode()
    with zipfile.ZipFile(copy, "w") as packed:
        for name, content in contents.items():
            packed.writestr(name, content)
    write_checksum(copy)
    return copy


def wait_for(look: Callable[[], Readiness], is_wanted: Callable[[Readiness], bool]) -> list[Readiness]:
    """All different states until the wanted one."""
    seen, deadline = [], time.monotonic() + PATIENCE_S
    while not seen or not is_wanted(seen[-1]):
        assert time.monotonic() < deadline, seen
        found = look()
        if found not in seen[-1:]:
            seen.append(found)
        time.sleep(0.02)
    return seen


def workers_of(found: Readiness, model: str) -> int:
    return sum(each.ready_workers for each in found.versions if each.model == model)


@pytest.mark.server
def test_the_server_is_ready_when_every_version_has_a_worker_and_says_why_not(tmp_path, monkeypatch):
    """One server for all states, as each start takes long. No request to it has a token, except those to change it."""
    monkeypatch.setenv("TS_ENABLE_MODEL_API", "true")
    broken = alter_archive(TINY, tmp_path, "broken", "1.0", BROKEN)
    with starting(TINY, broken, folder=tmp_path) as stack:

        def look() -> Readiness:
            return read_readiness(stack.settings.url("INFERENCE_PORT"))

        seen = wait_for(look, lambda found: workers_of(found, "digits-tiny") == 1)
        assert seen[0].reason == "the connection is refused"
        loading, found = next(each for each in seen if each.answers), seen[-1]
        assert "digits-tiny 1.0 has no ready worker of 1" in loading.reason
        assert found.reason.startswith("broken 1.0 has no ready worker of 1")
        assert requests.get(f"{stack.settings.url('INFERENCE_PORT')}/ready", timeout=20).status_code == 503

        with Management(stack.settings.url("MANAGEMENT_PORT"), stack.settings.auth("management")) as management:
            management.unload("broken", "1.0")
            assert look().has_all_workers()
            [version] = management.versions()
            psutil.Process(version.workers[0].pid).kill()
            ended = "digits-tiny 1.0 has no ready worker of 1; the last one was ended by signal 9"
            wait_for(look, lambda found: found.reason == ended)
            wait_for(look, lambda found: found.is_ready)
            management.scale("digits-tiny", "1.0", 0)
            assert look().reason == "digits-tiny 1.0 has no ready worker of 0"
        assert count_batches(stack).requests == 0  # no look was a prediction


@pytest.mark.server
def test_a_load_that_failed_leaves_the_server_not_ready(tmp_path):
    with starting(TINY, without_runtime(TINY, tmp_path), folder=tmp_path) as stack:
        url = stack.settings.url("INFERENCE_PORT")
        seen = wait_for(lambda: read_readiness(url), lambda found: workers_of(found, "digits-tiny") == 1)
        assert seen[-1].reason == "unloadable-1.0.mar was not loaded; server.log has the reason"
        assert seen[-1].fault("digits-tiny") == ""


@pytest.mark.server
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_probe_is_answered_on_a_kept_connection(stack, method):
    with requests.Session() as session:
        for _ in range(3):
            answer = session.request(method, f"{stack.inference_url}/ready?from=balancer", timeout=20)
            assert (answer.status_code, answer.headers["connection"]) == (200, "keep-alive")
        assert len(session.get_adapter("http://").poolmanager.connection_from_url(stack.inference_url).pool.queue) > 0
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.server
def test_only_gets_are_answered(stack):
    assert requests.post(f"{stack.inference_url}/ready", timeout=20).status_code == 404


@pytest.mark.server
def test_the_metrics_page_has_the_readiness(stack):
    assert stack.metric("inkserve_ready") == 1
