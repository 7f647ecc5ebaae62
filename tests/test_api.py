"""The examples of docs/api.md, run as they stand, one after the other, against the real server."""

import json
import re
import subprocess
import sys
from typing import NamedTuple

import pytest

from deploy.local.settings import DEFAULT_PORTS, ROOT
from tests.alike import assert_alike
from tests.conftest import environment

PAGE = (ROOT / "docs" / "api.md").read_text()
BLOCK = re.compile(r"```(sh|python)\n(.*?)```(?:\n+```(json|text)\n(.*?)```)?", re.DOTALL)
TIMEOUT_S = 60


class Example(NamedTuple):
    language: str
    code: str
    form: str
    shown: str


EXAMPLES = [Example(*found) for found in BLOCK.findall(PAGE)]


@pytest.fixture(scope="module")
def stubs(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("stubs"))


def test_all_examples_are_found():
    assert len(EXAMPLES) == len(re.findall(r"^```(sh|python)$", PAGE, re.MULTILINE)) >= 12
    assert sum(not example.shown for example in EXAMPLES) == 1  # the making of stubs prints nothing


@pytest.mark.server
@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{i}-{each.language}" for i, each in enumerate(EXAMPLES)])
def test_an_example_prints_what_is_shown(stack, stubs, example):
    code = example.code.replace("runs/stubs", stubs)
    for variable, port in DEFAULT_PORTS.items():
        code = code.replace(f"127.0.0.1:{port}", f"127.0.0.1:{stack.settings.ports[variable]}")
    command = {"sh": ["bash", "-ec"], "python": [sys.executable, "-c"]}[example.language]
    done = subprocess.run(
        [*command, code],
        cwd=ROOT,
        env=environment(PYTHONPATH=stubs),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if example.form == "json":
        assert_alike(json.loads(done.stdout), json.loads(example.shown), tolerance=0.001)
    else:
        assert done.stdout == example.shown
