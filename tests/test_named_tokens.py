"""Tokens with names, from a file that servers share: which files are read, whom they let in, and what is counted."""

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import grpc
import pytest
import requests

from deploy.local.java import find_java_home
from deploy.local.settings import ROOT, StackError, read_settings
from deploy.local.torchserve import GUARD
from inkserve import Recogniser, Token
from measuring.common.altered_archives import WAITING, alter_archive
from measuring.reliability.faults.background_load import BackgroundLoad, without_retries
from tests.answering import SEVEN, answering, error, in_turn
from tests.conftest import RunningStack, environment, port_variables, run_stack
from tests.waiting import eventually

TIMEOUT_S, TRIES = 30, 5
SHOP, APP, OPS = "shop-0123456789abcdef", "app-0123456789abcdef", "ops-0123456789abcdef"
REFUSED = (400, "InvalidKeyException")
NAMED = {
    "shop": {"token": SHOP, "for": "predictions"},
    "app": {"token": APP, "for": "predictions", "in_flight": 1},
    "ops": {"token": OPS, "for": "management"},
}
WRONG_FILES = {
    "empty": ("", "it names no token; wanted"),
    "nobody": ("{}", "it names no token; wanted"),
    "cut off": (f'{{"shop": {{"token": "{SHOP}', "it is no JSON document; wanted"),
    "a list": ("[]", "it names no token; wanted"),
    "a token alone": (json.dumps({"shop": SHOP}), "shop is wrong; wanted"),
    "a name with a space": (json.dumps({"my shop": NAMED["shop"]}), "a name is not 1 to 64 of"),
    "a short token": (
        json.dumps({"shop": {"token": "x", "for": "predictions"}}),
        "the token of shop is not a text of 16",
    ),
    "no API": (json.dumps({"shop": {"token": SHOP}}), 'shop is for neither "predictions" nor "management"'),
    "another API": (json.dumps({"shop": {"token": SHOP, "for": "all"}}), 'shop is for neither "predictions" nor'),
    "an unknown field": (json.dumps({"shop": NAMED["shop"] | {"rate": 3}}), "shop is wrong; wanted"),
    "a bound of 0": (json.dumps({"shop": NAMED["shop"] | {"in_flight": 0}}), "in_flight of shop is no whole number"),
    "half a bound": (json.dumps({"shop": NAMED["shop"] | {"in_flight": 1.5}}), "in_flight of shop is no whole number"),
    "one token twice": (json.dumps({"a": NAMED["shop"], "b": NAMED["shop"]}), "the token of b is that of another name"),
}


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    partial = path.with_suffix(".new")
    partial.write_text(text)
    partial.chmod(mode)
    partial.rename(path)
    return path


# Files


def start_java(file: Path) -> subprocess.CompletedProcess:
    """TorchServe's front end with a tokens file and no configuration: what the agent says before it starts."""
    jar = Path(find_spec("ts").submodule_search_locations[0]) / "frontend" / "model-server.jar"
    command = [find_java_home() / "bin" / "java", f"-javaagent:{GUARD}", "-cp", jar, "org.pytorch.serve.ModelServer"]
    variables = environment(INKSERVE_TOKENS_FILE=str(file))
    return subprocess.run(
        command, cwd=file.parent, env=variables, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_wrong_file_is_an_error_of_the_start_that_names_it_and_no_token(tmp_path, name):
    text, reason = WRONG_FILES[name]
    done = start_java(write(tmp_path / "tokens.json", text))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"inkserve: INKSERVE_TOKENS_FILE {tmp_path}/tokens.json: {reason}")
    assert SHOP not in done.stdout + done.stderr


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666], ids=oct)
def test_a_file_that_others_can_read_or_write_is_an_error_of_the_start(tmp_path, mode):
    done = start_java(write(tmp_path / "tokens.json", json.dumps(NAMED), mode))
    assert done.stderr.endswith("tokens.json: others can read or write it; wanted chmod o-rw\n")


def test_a_missing_file_is_an_error_of_make_up(tmp_path):
    variables = port_variables() | {"RUN_DIR": str(tmp_path / "run"), "INKSERVE_TOKENS_FILE": str(tmp_path / "none")}
    done = run_stack("up", variables)
    assert done.returncode == 1
    assert f"INKSERVE_TOKENS_FILE {tmp_path}/none: it cannot be read (NoSuchFileException)" in done.stderr


def test_a_file_turns_tokens_on(tmp_path):
    assert read_settings({"INKSERVE_TOKENS_FILE": str(tmp_path)}).tokens
    with pytest.raises(StackError, match="TOKENS=off with INKSERVE_TOKENS_FILE"):
        read_settings({"INKSERVE_TOKENS_FILE": str(tmp_path), "TOKENS": "off"})


def test_the_client_waits_for_a_place(seven):
    with answering(in_turn(error(429, "TooManyRequests"), (200, SEVEN))) as server:
        assert Recogniser("digits", server.url).predict(seven).label == "7"


# A server


class Shared(RunningStack):
    """A stack with a tokens file, which tests may change."""

    def __init__(self, variables: dict[str, str]):
        super().__init__(read_settings(variables))
        self.file = self.settings.tokens_file

    def predict(self, token: str, seven: bytes, **headers: str) -> requests.Response:
        headers |= {"Authorization": f"Bearer {token}"}
        return requests.post(self.predictions_url, data=seven, headers=headers, timeout=TIMEOUT_S)

    def list_models(self, token: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{self.management_url}/models", headers=headers, timeout=TIMEOUT_S)


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("shared")
    store = folder / "model_store"
    store.mkdir()
    alter_archive(ROOT / "model_store" / "digits-1.0.mar", store, "digits", "1.0", WAITING, batchSize=1)
    file = write(folder / "tokens.json", json.dumps(NAMED))
    variables = {"RUN_DIR": str(folder / "stack"), "MODEL_STORE": str(store), "INKSERVE_TOKENS_FILE": str(file)}
    running = Shared(port_variables() | variables)
    try:
        running.stack.start("torchserve")
        running.stack.start("metrics")
        yield running
    finally:
        running.stack.down()


@pytest.fixture(autouse=True)
def as_before(request) -> Iterator[None]:
    """Undo what a test has changed in the file."""
    yield
    if "shared" in request.fixturenames:
        shared = request.getfixturevalue("shared")
        write(shared.file, json.dumps(NAMED))
        eventually(lambda: shared.list_models(OPS).ok, "the token of ops to work")


def refusal(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"]


@pytest.mark.server
def test_each_token_opens_its_own_api_only(shared, seven):
    for token in (SHOP, APP):
        assert shared.predict(token, seven).json()["label"] == "7"
        assert refusal(shared.list_models(token)) == REFUSED
    assert shared.list_models(OPS).ok
    for token in (OPS, SHOP[:-1], SHOP + "x", "", "wrong"):
        assert refusal(shared.predict(token, seven)) == REFUSED


@pytest.mark.server
def test_torchserves_own_keys_stay_valid(shared, seven):
    keys = {kind: each["key"] for kind, each in json.loads(shared.settings.key_file.read_text()).items()}
    assert shared.predict(keys["inference"], seven).json()["label"] == "7"
    assert shared.list_models(keys["management"]).ok


@pytest.mark.server
def test_grpc_takes_the_same_tokens(shared):
    with grpc.insecure_channel(f"127.0.0.1:{shared.settings.ports['GRPC_INFERENCE_PORT']}") as channel:
        ping = channel.unary_unary("/org.pytorch.serve.grpc.inference.InferenceAPIsService/Ping", bytes, bytes)
        assert ping(b"", timeout=TIMEOUT_S, metadata=[("authorization", f"Bearer {SHOP}")])
        with pytest.raises(grpc.RpcError) as caught:
            ping(b"", timeout=TIMEOUT_S, metadata=[("authorization", f"Bearer {OPS}")])
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.server
def test_a_client_of_another_machine_needs_the_token_only(shared, seven):
    with Recogniser("digits", shared.inference_url, auth=Token(SHOP)) as digits:
        assert digits.predict(seven).label == "7"


@pytest.mark.server
def test_requests_over_a_tokens_bound_are_refused_at_once_and_others_are_not(shared, seven):
    slow = {"X-Wait-S": "3", "Authorization": f"Bearer {APP}"}
    with ThreadPoolExecutor() as pool:
        for _ in range(TRIES):
            first = pool.submit(without_retries(shared.predictions_url, **slow))
            time.sleep(0.5)  # the place is taken by then, unless the machine is very busy
            if (refused := shared.predict(APP, seven)).status_code == 429:
                break
            first.result()
        assert (refused.headers["retry-after"], refusal(refused)) == ("1", (429, "TooManyRequests"))
        assert refused.json()["message"] == "the token app has 1 requests in flight, which is its bound"
        assert shared.predict(SHOP, seven).json()["label"] == "7"
        assert first.result() == "ok"
    assert shared.predict(APP, seven).json()["label"] == "7"  # the place is free again


@pytest.mark.server
def test_a_connection_that_breaks_frees_its_place(shared, seven):
    for _ in range(3):
        with pytest.raises(requests.ReadTimeout):
            requests.post(
                shared.predictions_url,
                data=seven,
                headers={"X-Wait-S": "0.6", "Authorization": f"Bearer {APP}"},
                timeout=(TIMEOUT_S, 0.2),
            )
        eventually(lambda: shared.predict(APP, seven).ok, "the place of app to be free")


@pytest.mark.server
def test_answers_are_counted_by_name(shared, seven):
    labels = {"token": "shop", "status": "200"}
    before = shared.metric("inkserve_token_requests_total", **labels)
    shared.predict(SHOP, seven)
    shared.predict("wrong", seven)
    assert shared.metric("inkserve_token_requests_total", **labels) == before + 1
    shared.list_models(SHOP)
    assert shared.metric("inkserve_token_requests_total", **labels | {"status": "400"}) >= 1


@pytest.mark.server
def test_a_changed_file_is_read_again_under_load_and_a_wrong_one_changes_nothing(shared, seven):
    load = BackgroundLoad(without_retries(shared.predictions_url, Authorization=f"Bearer {SHOP}"), threads=2)
    new = "new-0123456789abcdef"
    with load:
        write(shared.file, json.dumps(NAMED | {"new": {"token": new, "for": "predictions"}}))
        eventually(lambda: shared.predict(new, seven).ok, "the new token to work")
        for text, _ in WRONG_FILES.values():
            write(shared.file, text)
            time.sleep(0.3)
        shared.file.unlink()
        log = shared.settings.logs / "server.log"
        eventually(lambda: "NoSuchFileException); the tokens stay as they were" in log.read_text(), "the log")
        assert shared.predict(new, seven).ok
        write(shared.file, json.dumps(NAMED))
        eventually(lambda: shared.predict(new, seven).status_code == REFUSED[0], "the new token to be refused")
        assert refusal(shared.predict(new, seven)) == REFUSED
        load.wait_for_answers(5)
    assert not load.failed(), str(load)
    assert not any(each in log.read_text() for each in (SHOP, APP, OPS, new))


def test_the_record_has_the_file_and_status_names_it(tmp_path):
    settings = read_settings({"INKSERVE_TOKENS_FILE": str(tmp_path / "tokens.json")})
    assert settings.variables["INKSERVE_TOKENS_FILE"] == str(tmp_path / "tokens.json")
    assert replace(settings, tokens_file=None).variables["INKSERVE_TOKENS_FILE"] == ""
