"""The README's examples, run as they stand against the real server."""

import json
import re
import subprocess

import pytest

from deploy.local.settings import ROOT
from tests.alike import assert_alike
from tests.conftest import environment, port_variables

README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```sh\n(curl .*?)```\n+```json\n(.*?)```", README, re.DOTALL)
CURL_BLOCKS = re.findall(r"```sh\n(curl .*?)```", README, re.DOTALL)


def test_every_curl_example_shows_its_answer():
    assert len(EXAMPLES) == len(CURL_BLOCKS) >= 3


@pytest.mark.server
@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command.splitlines()[0][:60] for command, _ in EXAMPLES])
def test_a_curl_example_gives_the_answer_that_is_shown(stack, command, shown):
    here = command.replace("http://127.0.0.1:8080", stack.inference_url).replace(
        "http://127.0.0.1:8081", stack.management_url
    )
    done = subprocess.run(["bash", "-ec", here], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert_alike(json.loads(done.stdout), json.loads(shown), tolerance=0.001)


def test_every_make_target_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) <= targets


def test_every_path_named_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    rooms = re.findall(r"^\| `([^`]+)` \|", README.partition("## Where things are")[2], re.MULTILINE)
    assert len(links) > 5
    assert len(rooms) > 8
    assert not [name for name in links + rooms if not (ROOT / name).exists()]


@pytest.mark.server
def test_make_up_prints_what_the_readme_shows(tmp_path):
    variables = port_variables() | {"RUN_DIR": str(tmp_path / "stack")}
    make = {"cwd": ROOT, "env": environment(**variables), "capture_output": True, "text": True, "timeout": 180}
    try:
        done = subprocess.run(["make", "--no-print-directory", "up"], check=True, **make)
    finally:
        subprocess.run(["make", "--no-print-directory", "down"], check=True, **make)
    shown = re.search(r"\$ make up\n(.*?)```", README, re.DOTALL)[1]
    first_time_only = ("making", "installing", "packed")
    assert without_numbers(done.stdout) == [
        line for line in without_numbers(shown) if not line.startswith(first_time_only)
    ]


def without_numbers(text: str) -> list[str]:
    return [re.sub(r"[\d.]+", "#", line).rstrip() for line in text.splitlines()]
