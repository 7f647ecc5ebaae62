"""The server's image, run as its page says: read-only, without capabilities, as uid 1000."""

import threading
from collections import Counter

import pytest
import requests

from tests.conftest import drawings
from tests.deployment.engine import Container, inspect, needs, run, started

pytestmark = [needs("localhost/inkserve-server", "make image"), pytest.mark.deployment]

MODELS = {"digits", "digits-tiny", "lenet5", "characters", "characters-edge", "reader"}
BASE = "docker.io/library/python:3.11-slim"
BASE_MB = 130  # of the official base; another base of the same Python may be larger


@pytest.fixture(scope="module")
def server():
    with started(DRAIN_DELAY_S="2") as container:
        container.wait_ready()
        yield container


def ask(container: Container, model: str, picture: bytes, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.post(f"{container.url}/predictions/{model}", data=picture, headers=headers, timeout=60)


@pytest.mark.parametrize(("image", "most_mb"), [("server", 1300), ("dashboard", 730)])
def test_images_are_small_and_run_as_nobody(image, most_mb):
    found = inspect(f"localhost/inkserve-{image}")
    assert found["Config"]["User"] == "1000:1000"
    assert (found.get("Healthcheck") or found["Config"]["Healthcheck"])["Test"] == ["CMD", "is-well"]
    assert (found["Size"] - inspect(BASE)["Size"]) / 1e6 + BASE_MB < most_mb


@pytest.mark.parametrize("image", ["server", "dashboard"])
def test_images_have_no_compiler_and_no_installer(image):
    search = "for each in gcc cc make pip javac; do command -v $each; done; python -m pip 2>&1"
    done = run("run", "--rm", "--network", "none", "--entrypoint", "sh", f"localhost/inkserve-{image}", "-c", search)
    assert "No module named pip" in done.stdout
    assert "/" not in done.stdout.replace("/venv/bin/python", "")


def test_six_recognisers_answer_with_a_token(server, seven):
    token = server.token()
    answers = {model: ask(server, model, seven, token).json() for model in MODELS}
    assert {answer.get("label", answer.get("text")) for answer in answers.values()} == {"7"}


def test_without_a_token_nothing_answers_but_ready(server, seven):
    refused = ask(server, "digits", seven, "")
    assert (refused.status_code, refused.json()["type"]) == (400, "InvalidKeyException")
    assert requests.get(f"{server.url}/ready", timeout=20).json()["ready"] is True


def test_its_health_check_and_its_own_prediction(server):
    assert server.exec("is-well").returncode == 0
    done = server.exec("python", "-m", "deploy.container.predict")
    assert "digits 1.0 reads examples/digits/7-1.png as '7'" in done.stdout, done.stderr


def test_it_writes_nowhere_but_in_its_folders(server):
    done = server.exec("sh", "-c", "id -u; touch /app/x /venv/x /models/x /home/inkserve/x")
    assert done.stdout == "1000\n"
    assert done.stderr.count("Read-only file system") == 4
    assert "CapEff:\t0000000000000000" in server.exec("cat", "/proc/1/status").stdout


def test_memory_stays_within_the_limit_under_large_pictures(server):
    token = server.token()
    pictures = [path.read_bytes() for path in drawings()]
    for i in range(200):
        assert ask(server, "digits", pictures[i % len(pictures)], token).status_code == 200
    assert not server.state().get("OOMKilled")


def test_sigterm_under_load_loses_nothing(seven):
    """Clients stop when /ready says so, as a balancer does; what was sent is answered, and the exit code is 0."""
    with started(DRAIN_DELAY_S="3", MODELS="digits") as container:
        container.wait_ready()
        token, outcomes, stop = container.token(), Counter(), threading.Event()

        def load() -> None:
            while not stop.is_set():
                try:
                    outcomes[ask(container, "digits", seven, token).status_code] += 1
                except requests.RequestException as err:
                    outcomes[type(err).__name__] += 1

        clients = [threading.Thread(target=load) for _ in range(8)]
        for each in clients:
            each.start()
        while outcomes[200] < 100:
            assert set(outcomes) <= {200}, outcomes
        run("kill", "--signal", "TERM", container.number)
        while container.is_ready():
            pass
        before = outcomes[200]
        stop.set()
        for each in clients:
            each.join()
        assert set(outcomes) == {200}, outcomes
        assert outcomes[200] >= before
        assert container.exit_code() == 0


@pytest.mark.parametrize(
    ("memory", "variables", "words"),
    [
        (
            "3g",
            {"MODELS": "digits,nosuch"},
            "inkserve: MODELS names nosuch; no archive of it may be loaded from /models",
        ),
        ("3g", {"MODEL_STORE": "/home"}, "inkserve: no archive to load in /home"),
        (
            "3g",
            {"RUN_DIR": "/app/run"},
            "inkserve: RUN_DIR is /app/run, which cannot be written (Read-only file system)",
        ),
        ("600m", {}, "inkserve: the memory limit is 600 MiB; wanted at least 1,390 MiB for 7 workers"),
        ("3g", {"DRAIN_DELAY_S": "soon"}, "DRAIN_DELAY_S is 'soon'; wanted a whole number"),
        ("3g", {"INKSERVE_TOKENS_FILE": "/nosuch"}, "inkserve: INKSERVE_TOKENS_FILE /nosuch: it cannot be read"),
        ("3g", {"TOKENS": "off"}, "inkserve: TOKENS=off with INFERENCE_HOST=0.0.0.0"),
    ],
    ids=["no such model", "no archives", "folder", "memory", "drain", "tokens file", "tokens"],
)
def test_a_start_that_cannot_serve_ends_with_a_line_that_says_why(memory, variables, words):
    with started(memory=memory, **variables) as container:
        assert container.exit_code() != 0
        assert words in container.log()
