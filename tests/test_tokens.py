"""Tokens: how a client gets them from a key file, and whom a real server that wants them lets in."""

import ipaddress
import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import psutil
import pytest
import requests

from dashboard.live.sampler import Sampler
from deploy.checksums import copy_archive
from deploy.local import torchserve
from deploy.local.served_versions import versions
from deploy.local.settings import ROOT, StackError, read_settings
from inkserve import AsyncRecogniser, KeyFile, Prediction, Recogniser, Rejected, ServerDown, Token
from inkserve.client.tokens import KEY_FILE_VARIABLE, TOKEN_VARIABLE, inference_token, is_expired, management_token
from inkserve.management import Management, ManagementError
from tests.answering import SEVEN, answering, run_apart
from tests.conftest import RunningStack, drawings, environment, port_variables, run_stack

TIMEOUT_S = 20
REFUSED = (400, "InvalidKeyException")
CALLS = {
    "a prediction": ("inference", "POST", "/predictions/digits"),
    "an explanation": ("inference", "POST", "/explanations/digits"),
    "a ping": ("inference", "GET", "/ping"),
    "a list of models": ("management", "GET", "/models"),
    "a description": ("management", "GET", "/models/digits"),
    "more workers": ("management", "PUT", "/models/digits?min_worker=1"),
    "an archive from elsewhere": ("management", "POST", "/models?url=http://127.0.0.1/x.mar"),
    "a new token": ("management", "GET", "/token?type=inference"),
}


def keys_of(path: Path) -> dict[str, str]:
    """The keys in a key file, by kind."""
    return {kind: each["key"] for kind, each in json.loads(path.read_text()).items()}


def write_keys(path: Path, left_s: float, **keys: str) -> Path:
    """A key file, whose tokens expire in so many s."""
    over = (datetime.now(UTC) + timedelta(seconds=left_s)).isoformat()
    path.write_text(json.dumps({kind: {"key": key, "expiration time": over} for kind, key in keys.items()}))
    return path


# Without a server


def test_a_token_of_the_environment_is_sent(monkeypatch, seven):
    monkeypatch.setenv(TOKEN_VARIABLE, "abc")
    with answering((200, SEVEN)) as server, Recogniser("digits", server.url) as digits:
        digits.predict(seven)
    assert server.headers[0]["Authorization"] == "Bearer abc"


def test_a_given_token_takes_precedence_over_the_environment(monkeypatch, seven):
    monkeypatch.setenv(TOKEN_VARIABLE, "abc")
    with answering((200, SEVEN)) as server, Recogniser("digits", server.url, auth=Token("xyz")) as digits:
        digits.predict(seven)
    assert server.headers[0]["Authorization"] == "Bearer xyz"


@pytest.mark.parametrize("named", [True, False])
def test_without_a_key_file_no_token_is_sent(monkeypatch, tmp_path, seven, named):
    if named:
        monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "key_file.json"))
    with answering((200, SEVEN)) as server, Recogniser("digits", server.url) as digits:
        digits.predict(seven)
    assert "Authorization" not in server.headers[0]


def test_each_kind_of_token_is_found_in_the_key_file(tmp_path):
    path = write_keys(tmp_path / "key_file.json", 60, inference="i", management="m", API="a")
    named = {KEY_FILE_VARIABLE: str(path)}
    assert (inference_token(named).current(), management_token("http://h", named).current()) == ("i", "m")


def test_an_error_names_a_broken_key_file_but_not_its_content(tmp_path, seven):
    path = tmp_path / "key_file.json"
    path.write_text('{"inference": {"key": "secret')
    with Recogniser("digits", auth=KeyFile(path)) as digits, pytest.raises(ServerDown) as caught:
        digits.predict(seven)
    assert str(caught.value) == f"{path} is no key file; wanted one that TorchServe wrote"


def test_a_half_written_key_file_is_read_again(tmp_path):
    path = tmp_path / "key_file.json"
    path.write_text("")
    with ThreadPoolExecutor() as pool:
        found = pool.submit(KeyFile(path).current)
        write_keys(path, 60, inference="i")
        assert found.result() == "i"


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("2020-01-01T00:00:00.123456789Z", True),
        ("2020-01-01T00:00:00Z", True),
        ("2999-01-01T00:00:00Z", False),
        ("2020-01-01T00:00:00", False),
        ("soon", False),
        (None, False),
    ],
)
def test_expiration_times_are_parsed_as_torchserve_writes_them(text, over):
    assert is_expired({"expiration time": text}) == over


@pytest.mark.parametrize(
    ("variables", "tokens"),
    [
        ({}, False),
        ({"TOKENS": "off"}, False),
        ({"TOKENS": "on"}, True),
        ({"INFERENCE_HOST": "127.0.0.2"}, False),
        ({"INFERENCE_HOST": "0.0.0.0"}, True),
        ({"MANAGEMENT_HOST": "192.0.2.1"}, True),
        ({"INFERENCE_HOST": "0.0.0.0", "TOKENS": "on"}, True),
    ],
)
def test_tokens_are_on_when_other_machines_reach_the_server(variables, tokens):
    assert read_settings(variables).tokens == tokens


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"INFERENCE_HOST": "0.0.0.0", "TOKENS": "off"}, "TOKENS=off with INFERENCE_HOST=0.0.0.0"),
        ({"MANAGEMENT_HOST": "192.0.2.1", "TOKENS": "off"}, "TOKENS=off with MANAGEMENT_HOST=192.0.2.1"),
        ({"TOKENS": "yes"}, "TOKENS is 'yes'; wanted on or off"),
        ({"INFERENCE_HOST": "my.host"}, "INFERENCE_HOST is 'my.host'; wanted an IPv4 address"),
        ({"INFERENCE_HOST": "::"}, "INFERENCE_HOST is '::'; wanted an IPv4 address"),
    ],
)
def test_open_access_is_refused_before_anything_starts(variables, reason):
    with pytest.raises(StackError, match=reason):
        read_settings(variables)
    done = run_stack("up", variables)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert reason in done.stderr


def test_the_setting_for_tokens_overrides_the_environment(monkeypatch):
    monkeypatch.setenv("TS_DISABLE_TOKEN_AUTHORIZATION", "true")
    monkeypatch.setenv("TS_METRICS_ADDRESS", "http://0.0.0.0:1")
    told = torchserve.environment(read_settings({"INFERENCE_HOST": "0.0.0.0"}))
    assert told["TS_DISABLE_TOKEN_AUTHORIZATION"] == "false"
    hosts = {name: told[f"TS_{name}_ADDRESS"] for name in ("INFERENCE", "MANAGEMENT", "METRICS", "GRPC_INFERENCE")}
    assert hosts == {
        "INFERENCE": "http://0.0.0.0:8080",
        "MANAGEMENT": "http://127.0.0.1:8081",
        "METRICS": "http://127.0.0.1:8083",
        "GRPC_INFERENCE": "127.0.0.1",
    }


# With a server that wants tokens


class Guarded(RunningStack):
    """A stack with tokens on, its variables, and all keys that its key file has had."""

    def __init__(self, variables: dict[str, str]):
        super().__init__(read_settings(variables))
        self.variables = variables
        self.seen: set[str] = set()

    @property
    def keys(self) -> dict[str, str]:
        found = keys_of(self.settings.key_file)
        self.seen |= set(found.values())
        return found

    def call(self, name: str, token: str | None, **options: object) -> requests.Response:
        kind, method, path = CALLS[name]
        url = self.inference_url if kind == "inference" else self.management_url
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return requests.request(method, url + path, headers=headers, timeout=TIMEOUT_S, **options)

    def restart(self, settings, monkeypatch, lifetime_min: float):
        """Start TorchServe again with tokens of another lifetime."""
        self.stack.stop("torchserve")
        monkeypatch.setenv("TS_TOKEN_EXPIRATION_TIME_MIN", str(lifetime_min))
        self.settings = self.stack.settings = settings
        self.stack.start("torchserve")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "model_store").mkdir()
    copy_archive(ROOT / "model_store" / "digits-1.0.mar", folder / "model_store")
    variables = port_variables() | {"RUN_DIR": str(folder / "stack"), "MODEL_STORE": str(folder / "model_store")}
    guarded = Guarded(variables | {"TOKENS": "on"})
    try:
        guarded.stack.up()
        yield guarded
    finally:
        guarded.stack.down()


@pytest.fixture
def key_file(guarded, monkeypatch) -> Path:
    """The server's key file, named in the environment."""
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(guarded.settings.key_file))
    monkeypatch.setenv("INKSERVE_MANAGEMENT_URL", guarded.management_url)
    return guarded.settings.key_file


def refusal(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"]


@pytest.mark.server
@pytest.mark.parametrize("name", CALLS)
def test_requests_without_a_valid_token_are_refused(guarded, seven, name):
    for token in (None, "", "wrong", guarded.keys["inference"][:-1]):
        assert refusal(guarded.call(name, token, data=seven)) == REFUSED


@pytest.mark.server
@pytest.mark.parametrize("name", CALLS)
def test_each_key_works_for_its_own_api_only(guarded, seven, name):
    right = "API" if name == "a new token" else CALLS[name][0]
    for kind, token in guarded.keys.items():
        if kind != right:
            assert refusal(guarded.call(name, token, data=seven)) == REFUSED


@pytest.mark.server
def test_the_right_key_is_accepted(guarded, seven):
    assert guarded.call("a prediction", guarded.keys["inference"], data=seven).json()["label"] == "7"
    assert guarded.call("a ping", guarded.keys["inference"]).json() == {"status": "Healthy"}
    assert guarded.call("a list of models", guarded.keys["management"]).json()["models"]


@pytest.mark.server
@pytest.mark.parametrize(
    ("port", "kind", "service"),
    [
        ("GRPC_INFERENCE_PORT", "inference", "inference.InferenceAPIsService/Ping"),
        ("GRPC_MANAGEMENT_PORT", "management", "management.ManagementAPIsService/ListModels"),
    ],
)
def test_grpc_needs_the_same_tokens(guarded, port, kind, service):
    def call(*metadata: tuple[str, str]) -> bytes:
        with grpc.insecure_channel(f"127.0.0.1:{guarded.settings.ports[port]}") as channel:
            method = channel.unary_unary(f"/org.pytorch.serve.grpc.{service}", bytes, bytes)
            return method(b"", timeout=TIMEOUT_S, metadata=metadata)

    other = {"inference": "management", "management": "inference"}[kind]
    for metadata in ([], [("authorization", "Bearer wrong")], [("authorization", f"Bearer {guarded.keys[other]}")]):
        with pytest.raises(grpc.RpcError) as caught:
            call(*metadata)
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert call(("authorization", f"Bearer {guarded.keys[kind]}"))


@pytest.mark.server
def test_only_the_user_can_read_the_key_file_and_the_stacks_files(guarded):
    assert stat.S_IMODE(guarded.settings.key_file.stat().st_mode) == 0o600
    written = [guarded.settings.key_file, *guarded.settings.metrics.iterdir(), guarded.settings.logs / "server.log"]
    assert not [path for path in written if path.stat().st_mode & 0o077]


@pytest.mark.parametrize("path", ["runs/stack/key_file.json", "key_file.json", "elsewhere/key_file.json"])
def test_the_key_file_is_never_committed(path):
    ignored = ["git", "check-ignore", "--quiet", path]
    assert subprocess.run(ignored, cwd=ROOT, timeout=TIMEOUT_S, check=False).returncode == 0


@pytest.mark.server
def test_clients_take_their_token_from_the_environment(guarded, key_file, seven):
    with Recogniser("digits", guarded.inference_url) as digits:
        assert digits.predict(seven).label == "7"
        assert digits.explain(seven).label == "7"
        assert [result.label for result in digits.predict_many([seven] * 2)] == ["7", "7"]


@pytest.mark.server
def test_the_asynchronous_client_finds_its_token_too(guarded, key_file, seven):
    async def ask() -> str:
        async with AsyncRecogniser("digits", guarded.inference_url) as digits:
            return (await digits.predict(seven)).label

    assert run_apart(ask()) == "7"


@pytest.mark.server
def test_inkserve_batch_takes_its_token_from_the_environment(guarded, key_file, tmp_path):
    command = [sys.executable, "-m", "inkserve", "batch", "examples/digits", "--url", guarded.inference_url, "--out"]
    done = subprocess.run(
        [*command, tmp_path / "out.csv"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.server
def test_the_curl_example_of_the_docs_finds_its_token(guarded):
    command = re.search(r"```sh\n(.*?)```", (ROOT / "docs" / "security.md").read_text(), re.DOTALL)[1]
    here = command.replace("runs/stack/key_file.json", str(guarded.settings.key_file))
    here = here.replace(".venv/bin/python", sys.executable).replace("http://127.0.0.1:8080", guarded.inference_url)
    done = subprocess.run(["bash", "-ec", here], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(done.stdout)["label"] == "7"


@pytest.mark.server
def test_without_a_token_the_client_raises_the_servers_error(guarded, seven):
    with Recogniser("digits", guarded.inference_url) as digits, pytest.raises(Rejected) as caught:
        digits.predict(seven)
    assert caught.value.type == "InvalidKeyException"
    with pytest.raises(ManagementError):
        Management(guarded.management_url).versions()


@pytest.mark.server
def test_the_dashboard_and_the_metrics_page_see_the_workers(guarded, key_file):
    [version] = Management(guarded.management_url).versions()
    assert (version.name, version.ready_workers) == ("digits 1.0", 2)
    Management(guarded.management_url).set_default(version.model, version.version)
    sampler = Sampler(environment(INKSERVE_METRICS_URL=f"{guarded.metrics_url}/metrics"))
    sampler.tick()
    sampler.stop()
    assert sampler.versions() == (version,)
    assert guarded.metric("torchserve_management_up") == 1
    assert guarded.metric("torchserve_workers_ready", model="digits") == 2


@pytest.mark.server
def test_make_status_says_that_tokens_are_on_without_the_variable(guarded):
    variables = {name: value for name, value in guarded.variables.items() if name != "TOKENS"}
    done = run_stack("status", variables)
    assert done.returncode == 0, done.stdout
    assert "digits 1.0 reads examples/digits/7-1.png as '7'" in done.stdout
    assert done.stdout.splitlines()[-1] == (
        f"Only this machine can reach these addresses; tokens are on, in {guarded.settings.key_file}."
    )
    other = run_stack("up", variables)
    assert (other.returncode, other.stderr) == (
        1,
        "up: already running with TOKENS=on: name the same, or `make down` first\n",
    )
    assert versions(guarded.settings) == ["digits/1.0"]


@pytest.mark.server
def test_a_key_file_of_another_server_invalidates_no_token(guarded, tmp_path, seven):
    before = guarded.keys
    for left_s in (60, -60):  # an old one may ask for a new token, which is in the file of its own server
        other = write_keys(tmp_path / "key_file.json", left_s, inference="other", API="wrong")
        auth = KeyFile(other, management=guarded.management_url)
        with Recogniser("digits", guarded.inference_url, auth=auth) as digits, pytest.raises(Rejected):
            digits.predict(seven)
    still_good = write_keys(tmp_path / "key_file.json", 60, inference="other", API=before["API"])
    auth = KeyFile(still_good, management=guarded.management_url)
    with Recogniser("digits", guarded.inference_url, auth=auth) as digits, pytest.raises(Rejected):
        digits.predict(seven)
    assert guarded.keys == before


def listening(guarded: Guarded) -> dict[int, bool]:
    """Each port that a process of the stack listens on, and whether others than this machine reach it."""
    found = {}
    for service in guarded.stack.running().values():
        for each in [service, *service.children(recursive=True)]:
            for one in each.net_connections(kind="inet"):
                if one.status == psutil.CONN_LISTEN:
                    address = ipaddress.ip_address(one.laddr.ip)
                    found[one.laddr.port] = not (getattr(address, "ipv4_mapped", None) or address).is_loopback
    return found


@pytest.mark.server
def test_by_default_all_ports_are_on_the_loopback_address(guarded):
    ports = {port for name, port in guarded.settings.ports.items() if name != "PROMETHEUS_PORT"}
    assert listening(guarded) == dict.fromkeys(ports, False)


@pytest.mark.server
def test_a_token_that_expires_under_load_fails_no_request(guarded, key_file, monkeypatch, tmp_path, seven):
    """Also: for others, only the inference port is open; and what ran before finds the new tokens after a restart."""
    digits = Recogniser("digits", guarded.inference_url)
    assert digits.predict(seven).label == "7"
    guarded.restart(replace(guarded.settings, inference_host="0.0.0.0"), monkeypatch, lifetime_min=0.05)
    assert [port for port, is_open in listening(guarded).items() if is_open] == [
        guarded.settings.ports["INFERENCE_PORT"]
    ]
    tokens, pictures = {guarded.keys["inference"]}, drawings()
    while len(tokens) < 3:  # two renewals
        results = list(digits.predict_many(pictures * 5))
        assert [each for each in results if not isinstance(each, Prediction)] == []
        tokens.add(guarded.keys["inference"])
    digits.close()
    load(guarded, tmp_path)
    assert guarded.keys["inference"] not in tokens
    assert Management(guarded.management_url).versions()
    assert guarded.metric("torchserve_management_up") == 1
    assert "Others can reach 0.0.0.0:" in run_stack("status", guarded.variables).stdout


def load(guarded: Guarded, folder: Path) -> None:
    """Have Locust's users, in two processes, send for several lifetimes of a token; none may fail."""
    (folder / "slo.toml").write_text("failures_share = 0.0\n")
    command = [sys.executable, "-m", "loadtest", "--users", "9", "--seconds", "6", "--workers", "2", "--out", folder]
    command += ["--host", guarded.inference_url, "--management", guarded.management_url, "--slo", folder / "slo.toml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Batches of up to 16 requests" in done.stdout  # the management API has told it so


@pytest.mark.server
def test_no_token_is_in_any_log_or_on_any_command_line(guarded, key_file):
    with Recogniser("digits", guarded.inference_url) as digits, pytest.raises(Rejected):
        digits.predict(b"no picture")  # which is on record
    guarded.call("a prediction", guarded.keys["management"])
    keys = [key.encode() for key in {*guarded.keys.values()} | guarded.seen]
    assert len(keys) >= 6
    files = [path for path in guarded.settings.run_dir.rglob("*") if path.is_file() and path != key_file]
    assert {"server.log", "access.log", "requests.log", "dashboard.log"} <= {path.name for path in files}
    assert (guarded.settings.logs / "requests.log").read_text()
    assert not [path for path in files if any(key in path.read_bytes() for key in keys)]
    running = [each for each in guarded.stack.running().values() if each]
    lines = [" ".join(each.cmdline()).encode() for one in running for each in [one, *one.children(recursive=True)]]
    assert len(lines) >= 4
    assert not [line for line in lines if any(key in line for key in keys)]


@pytest.mark.server
def test_the_key_file_is_deleted_when_the_server_stops(guarded):
    guarded.stop_server()
    assert not guarded.settings.key_file.exists()
