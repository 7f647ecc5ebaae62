"""The command `inkserve`: read and status, and what is common to all commands; test_batch.py has `inkserve batch`."""

import json
import subprocess
import sys

import pytest

from deploy.local.settings import ROOT
from inkserve.cli import main
from tests.answering import SEVEN, answering, closed_port, described, error, in_turn
from tests.conftest import drawings

DRAWING = drawings()[0]
PAGE = {
    "text": "3.14\n15",
    "lines": [{"text": "3", "characters": [{"label": "3", "confidence": 0.9, "box": [1, 2, 3, 4]}]}],
    "model": "reader",
    "version": "1.0",
}


@pytest.fixture
def server():
    with answering((200, SEVEN)) as made:
        made.models(digits=[described(workers=2, wanted=2)])
        yield made


def lines(capsys) -> list[str]:
    return capsys.readouterr().out.splitlines()


# Read


def test_a_picture_is_read_in_a_line(server, capsys):
    assert main(["read", str(DRAWING), "--url", server.url]) == 0
    assert lines(capsys) == [f"{DRAWING}: 7 (98.0%, 1 1.5%)"]
    assert server.paths == ["/predictions/digits"]


def test_recogniser_version_and_labels_can_be_chosen(server):
    arguments = ["--model", "characters", "--version", "1.1", "--top-k", "5", "--url", server.url]
    assert main(["read", str(DRAWING), *arguments]) == 0
    assert server.paths == ["/predictions/characters/1.1"]
    assert server.headers[0]["X-Top-K"] == "5"


def test_a_page_is_printed_as_its_text(server, capsys):
    server.answer = lambda _: (200, PAGE)
    assert main(["read", "--model", "reader", str(DRAWING), "--url", server.url]) == 0
    assert lines(capsys) == ["3.14", "15"]
    assert main(["read", "--model", "reader", str(DRAWING), str(DRAWING), "--url", server.url]) == 0
    assert lines(capsys) == [f"{DRAWING}:", "3.14", "15"] * 2


def test_json_is_an_object_a_line(server, capsys):
    server.answer = in_turn((200, SEVEN), error(400, "InvalidImage", "it is blank"), (200, PAGE))
    assert main(["read", *[str(DRAWING)] * 3, "--json", "--url", server.url]) == 1
    one, bad, page = map(json.loads, lines(capsys))
    assert (one["name"], one["label"], one["top"][1]) == (str(DRAWING), "7", {"label": "1", "probability": 0.015})
    assert bad == {"name": str(DRAWING), "error": {"type": "InvalidImage", "message": "it is blank"}}
    assert (page["text"], page["characters"][0]["box"]) == ("3.14\n15", [1.0, 2.0, 3.0, 4.0])


def test_a_picture_that_cannot_be_read_is_one_line_and_the_next_one_is_read(server, capsys):
    assert main(["read", "missing.png", str(DRAWING), "--url", server.url]) == 1
    told = capsys.readouterr()
    assert told.err == "inkserve: missing.png cannot be read: No such file or directory\n"
    assert told.out.startswith(f"{DRAWING}: 7")


def test_a_refused_picture_is_named(server, capsys):
    server.answer = lambda _: error(400, "InvalidImage", "it is blank\x1b[2J")
    assert main(["read", str(DRAWING), "--url", server.url]) == 1
    assert capsys.readouterr().err == f"inkserve: {DRAWING}: InvalidImage: it is blank\\x1b[2J\n"


def test_a_missing_server_is_one_line_that_names_it(capsys):
    url = closed_port()
    assert main(["read", str(DRAWING), str(DRAWING), "--url", url]) == 1
    assert capsys.readouterr().err == f"inkserve: digits at {url}: the connection is refused\n"


@pytest.mark.server
def test_the_real_server_reads_characters_and_pages(stack, capsys):
    assert main(["read", *map(str, drawings()), "--url", stack.inference_url]) == 0
    assert [line.rpartition(": ")[2][0] for line in lines(capsys)] == [path.stem[0] for path in drawings()]
    page = ROOT / "examples" / "pages" / "pi.png"
    assert main(["read", "--model", "reader", str(page), "--url", stack.inference_url]) == 0
    assert lines(capsys) == ["314 159", "26 535", "897 93"]


# Status


def status(server, *options: str) -> int:
    return main(["status", "--url", server.url, "--management-url", server.url, *options])


def test_a_ready_server_ends_with_0_and_a_table(server, capsys):
    assert status(server) == 0
    assert lines(capsys) == [
        f"server      {server.url}  up",
        f"management  {server.url}  up",
        "recogniser  version  default  workers  waiting  state",
        "digits      1.0      yes      2/2      0        ready",
    ]


def test_a_version_without_all_its_workers_is_not_ready(server, capsys):
    server.models(digits=[described(workers=1, wanted=2, waiting=3)])
    assert status(server) == 1
    assert lines(capsys)[-1] == "digits      1.0      yes      1/2      3        1 of 2 workers are ready"


def test_a_version_that_does_not_answer_is_not_ready(server, capsys):
    server.answer = lambda _: error(503, message="no worker")
    assert status(server) == 1
    assert lines(capsys)[-1].endswith("it answers 503: no worker")


def test_a_picture_that_is_refused_as_such_is_an_answer(server):
    server.answer = lambda _: error(400, "InvalidImage", "it is blank")
    assert status(server) == 0


def test_status_as_json(server, capsys):
    assert status(server, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["is_up"], found["is_ready"], found["management_fault"]) == (True, True, "")
    assert found["versions"] == [
        {
            "model": "digits",
            "version": "1.0",
            "is_default": True,
            "ready_workers": 2,
            "wanted_workers": 2,
            "waiting": 0,
            "batch_size": 32,
            "batch_delay_ms": 1,
            "memory_mib": 2.0,
            "fault": "",
        }
    ]


def test_a_server_without_recognisers_is_not_ready(server):
    server.models()
    assert status(server) == 1


def test_a_server_that_is_down_is_told(capsys):
    url = closed_port()
    assert main(["status", "--url", url, "--management-url", url]) == 1
    told = lines(capsys)
    assert told[0] == f"server      {url}  does not answer"
    assert told[1].startswith(f"management  {url}  the management API at {url} does not answer")


@pytest.mark.server
def test_the_real_server_is_ready(stack, capsys):
    assert main(["status", "--url", stack.inference_url, "--management-url", stack.management_url, "--json"]) == 0
    versions = json.loads(capsys.readouterr().out)["versions"]
    assert {each["model"] for each in versions} >= {"digits", "characters", "reader"}
    assert not [each["fault"] for each in versions if each["fault"]]


# All commands


def test_without_a_command_the_help_lists_them(capsys):
    assert main([]) == 0
    assert [line.split()[0] for line in lines(capsys)[-3:]] == ["read", "batch", "status"]


@pytest.mark.parametrize("arguments", [["wipe"], ["read"], ["read", "x.png", "--colour"], ["status", "extra"]])
def test_a_wrong_command_line_is_one_line_and_ends_with_2(capsys, arguments):
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith("inkserve")
    assert told.count("\n") == 1


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert lines(capsys)[0].startswith("inkserve 0.")


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "inkserve", "read", "missing.png"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, "inkserve: missing.png cannot be read: No such file or directory\n")
