"""The function: the runtime's own client runs it against an emulator of Lambda's runtime API."""

import base64
import json
import os
import statistics
import subprocess
import sys
import time
import zipfile

import psutil
import pytest
import requests

from deploy.local.settings import ROOT
from tests.conftest import drawings
from tests.deployment.lambda_emulator import Emulator, Function, variables
from tests.deployment.tools import BIN, needs_tools

pytestmark = needs_tools
MB = 1e6


@pytest.fixture(scope="module")
def function(tmp_path_factory):
    archive = tmp_path_factory.mktemp("archive")
    with zipfile.ZipFile(ROOT / "model_store" / "digits-1.0.mar") as packed:
        packed.extractall(archive)
    emulator = Emulator()
    [client] = (BIN.parent / "lib").glob("python3*/site-packages")
    environment = {
        "PATH": os.environ["PATH"],
        **variables(emulator),
        "ARCHIVE": str(archive),
        "HANDWRITING_METRICS": "off",
        "MALLOC_ARENA_MAX": "1",
    }
    # The runtime's client alone comes from the environment of the tools
    start = f"import sys; sys.path.append({str(client)!r}); import runpy; sys.argv[1:] = ['function.handle']; "
    start += "runpy.run_module('awslambdaric', run_name='__main__')"
    began = time.perf_counter()
    running = subprocess.Popen([sys.executable, "-c", start], cwd=ROOT / "deploy" / "lambda", env=environment)
    try:
        function = Function(emulator)
        function.ask((ROOT / "examples" / "digits" / "7-1.png").read_bytes(), timeout_s=120)
        function.process, function.cold_s = psutil.Process(running.pid), time.perf_counter() - began
        yield function
    finally:
        running.kill()
        running.wait()
        emulator.close()


@pytest.mark.server
def test_it_answers_as_the_server_does(function, stack):
    for path in drawings():
        picture = path.read_bytes()
        status, answer = function.ask(picture)
        server = requests.post(stack.predictions_url, data=picture, timeout=30)
        assert (status, answer) == (server.status_code, server.json())


@pytest.mark.server
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"no picture", {}),
        (b"{", {"content_type": "application/json"}),
        (b"x" * 10, {"content_type": "text/css"}),
    ],
    ids=["empty", "no picture", "half JSON", "another type"],
)
def test_its_errors_are_the_servers(function, stack, body, headers):
    status, answer = function.ask(body, **headers)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    server = requests.post(stack.predictions_url, data=body, headers=sent, timeout=30)
    assert (status, answer) == (server.status_code, server.json())
    assert status >= 400


def test_a_form_is_read_part_by_part(function, seven):
    form = requests.Request(
        "POST", "http://x", files=[("file", ("a.png", seven)), ("file", ("b.png", seven))]
    ).prepare()
    status, answer = function.ask(form.body, content_type=form.headers["Content-Type"])
    assert status == 200
    assert [each["label"] for each in answer["predictions"]] == ["7", "7"]


@pytest.mark.server
@pytest.mark.parametrize("query", ["top_k=1", "top_k=11", "topk=1"])
def test_parameters_of_the_address_are_the_servers(function, stack, seven, query):
    status, answer = function.ask(seven, f"/predictions/digits?{query}")
    server = requests.post(f"{stack.predictions_url}?{query}", data=seven, timeout=30)
    assert (status, answer) == (server.status_code, server.json())


def test_json_and_headers_are_read(function, seven):
    document = json.dumps({"instances": [{"b64": base64.b64encode(seven).decode()}]}).encode()
    status, answer = function.ask(document, content_type="application/json", x_top_k="1")
    assert (status, len(answer["predictions"][0]["top"])) == (200, 1)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((b"x" * 4_500_001,), 413, "the body has 4,500,001 bytes; a function takes at most 4,500,000"),
        ((b"x", "/predictions/lenet5"), 404, "this function has no lenet5; wanted digits/1.0"),
        ((b"x", "/predictions/digits/2.0"), 404, "this function has no digits/2.0"),
        ((b"x", "/models"), 404, "there is no /models; wanted /predictions/MODEL"),
        ((b"", "/predictions/digits", "GET"), 405, "the method is GET; wanted POST or PUT"),
    ],
    ids=["too large", "another model", "another version", "another address", "GET"],
)
def test_what_it_cannot_answer_is_refused_in_words(function, arguments, status, words):
    found, answer = function.ask(*arguments)
    assert (found, answer["code"]) == (status, status)
    assert answer["message"].startswith(words)


def test_its_start_time_and_memory_are_shown(function, seven, capsys):
    """Printed, and only the memory is tested: times are those of a busy machine."""
    times_ms = []
    for _ in range(30):
        began = time.perf_counter()
        assert function.ask(seven)[0] == 200
        times_ms.append((time.perf_counter() - began) * 1000)
    memory = function.process.memory_info()
    own_mb = (memory.rss - memory.shared) / MB  # how much of the libraries' files is in memory is the kernel's choice
    with capsys.disabled():
        print(
            f"\nfunction: cold {function.cold_s:.1f} s, warm {statistics.median(times_ms):.1f} ms, "
            f"{memory.rss / MB:.0f} MB, {own_mb:.0f} of them its own"
        )
    assert own_mb < 300


def test_an_explanation_has_a_heatmap(function, seven):
    """After the measurement: the first one loads captum, 38 MiB."""
    status, answer = function.ask(seven, "/explanations/digits")
    assert (status, answer["label"], len(answer["heatmap"])) == (200, "7", 28)
