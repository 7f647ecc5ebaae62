"""The client of the management API, against a small server; test_management.py asks a real one."""

import pytest

from inkserve.client import Token
from inkserve.management import Management, ManagementError, ModelApiOffError
from tests.answering import answering, described, error


@pytest.fixture
def server():
    with answering((200, {})) as made:
        made.models(digits=[described()])
        yield made


@pytest.fixture
def management(server) -> Management:
    return Management(server.url + "/")


def test_versions_are_listed_by_name_with_the_default_first(server, management):
    versions = ["1.9", "1.10", "1.2"]
    server.models(lenet5=[described("lenet5")], digits=[described(version=each, workers=2) for each in versions])
    found = management.versions()
    assert [each.name for each in found] == ["digits 1.9", "digits 1.2", "digits 1.10", "lenet5 1.0"]
    assert [each.is_default for each in found] == [True, False, False, True]
    assert (found[0].ready_workers, found[0].wanted_workers, found[0].memory_mib) == (2, 2, 2.0)
    assert [each.pid for each in found[0].workers] == [11, 12]


def test_a_version_without_the_workers_it_wants_says_so(server, management):
    server.models(digits=[described(workers=1, wanted=3, waiting=5)])
    [found] = management.versions()
    assert (found.ready_workers, found.wanted_workers, found.waiting) == (1, 3, 5)


def test_a_worker_that_starts_has_no_process_and_is_not_ready(server, management):
    starting = {"id": 9000, "status": "UNLOADING", "pid": -1}
    server.models(digits=[described() | {"workers": [starting], "minWorkers": None}])
    [found] = management.versions()
    assert (found.workers[0].pid, found.workers[0].memory_bytes, found.ready_workers) == (0, 0, 0)
    assert found.wanted_workers == 1


@pytest.mark.parametrize(
    "answer",
    [b"no JSON", [], {"models": [{}]}, {"models": [{"modelName": "other"}]}, {"models": 7}],
    ids=["no JSON", "list", "no name", "unknown model", "number"],
)
def test_an_answer_that_describes_no_models_is_an_error(server, management, answer):
    server.documents["/models"] = answer
    with pytest.raises(ManagementError):
        management.versions()


def test_a_refusal_is_told_in_the_servers_words(server, management):
    with pytest.raises(ManagementError, match="no such model"):
        management.set_default("digits", "9.9")
    server.documents["/models/digits/9.9/set-default"] = (500, b"<html>")
    with pytest.raises(ManagementError, match="the management API answers 500"):
        management.set_default("digits", "9.9")


def test_a_card_is_a_mapping_or_empty(server, management):
    server.documents["/models/digits/1.0"] = [described() | {"customizedMetadata": {"parameters": 7}}]
    assert management.card("digits", "1.0") == {"parameters": 7}
    server.documents["/models/digits/1.0"] = [described() | {"customizedMetadata": None}]
    assert management.card("digits", "1.0") == {}
    server.documents["/models/digits/1.0"] = [described()]
    with pytest.raises(ManagementError, match=r"digits 1\.0 has no card"):
        management.card("digits", "1.0")


@pytest.mark.parametrize("status", [403, 405])
def test_a_server_that_does_not_load_while_it_runs_is_told(server, management, status):
    server.answer = lambda _: error(status)
    with pytest.raises(ModelApiOffError, match="TS_ENABLE_MODEL_API=true make up"):
        management.load("digits-1.1.mar")
    with pytest.raises(ModelApiOffError, match="TS_ENABLE_MODEL_API=true make up"):
        management.check_loading()


def test_a_server_that_wants_the_name_of_an_archive_loads_while_it_runs(server, management):
    server.answer = lambda _: error(400, message="Parameter url is required.")
    management.check_loading()


def test_a_version_whose_worker_cannot_start_is_unloaded_again(server, management):
    def answer(_: bytes):
        server.models(digits=[described(), described(version="1.1", workers=0)])
        return error(500, message="Failed to start workers for model digits version: 1.1")

    server.answer = answer
    server.documents["/models/digits/1.1"] = {}
    with pytest.raises(ManagementError, match="Failed to start workers"):
        management.load("digits-1.1.mar")
    assert [path for path in server.paths if path.startswith("DELETE")] == ["DELETE /models/digits/1.1"]


def test_a_version_is_unloaded_once_its_queue_is_empty(server, management, monkeypatch):
    monkeypatch.setattr("inkserve.management.BATCH_S", 0.0)
    waiting = [3, 2, 0]
    server.documents["/models/digits/1.0"] = {}

    class Emptying(dict):
        def get(self, path: str, default: object = None) -> object:
            return [described(waiting=waiting.pop(0))] if path == "/models/digits/all" else super().get(path, default)

    server.documents = Emptying(server.documents)
    management.unload("digits", "1.0")
    assert not waiting
    assert server.paths[-1] == "DELETE /models/digits/1.0"


def test_a_token_is_sent_and_a_proxy_is_not_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with Management(server.url, Token("secret")) as management:
        assert management.versions()
    assert {each["Authorization"] for each in server.headers} == {"Bearer secret"}
