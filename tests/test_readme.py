"""The README and the pages that a new user reads first: their examples run as they stand against the real server."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
from PIL import Image

from deploy.local.settings import ROOT
from tests.alike import assert_alike
from tests.conftest import environment, port_variables

README = (ROOT / "README.md").read_text()
START = (ROOT / "docs" / "getting-started.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = re.findall(r"```sh\n(curl .*?)```\n+```json\n(.*?)```", README, re.DOTALL)
OURS = {"handwriting", "inkserve", "training", "deploy", "measuring", "dashboard", "loadtest", "examples"}
CURL_BLOCKS = re.findall(r"```sh\n(curl .*?)```", README, re.DOTALL)


def test_every_curl_example_shows_its_answer():
    assert len(EXAMPLES) == len(CURL_BLOCKS) >= 1


@pytest.mark.server
@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command.splitlines()[0][:60] for command, _ in EXAMPLES])
def test_a_curl_example_gives_the_answer_that_is_shown(stack, command, shown):
    here = command.replace("http://127.0.0.1:8080", stack.inference_url).replace(
        "http://127.0.0.1:8081", stack.management_url
    )
    done = subprocess.run(["bash", "-ec", here], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert_alike(json.loads(done.stdout), json.loads(shown), tolerance=0.001)


@pytest.mark.server
def test_the_python_example_prints_what_is_shown(stack):
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(INKSERVE_URL=stack.inference_url),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == re.findall(r"print\(.*#\s*(\S+)", code)


def test_the_first_forty_lines_show_the_picture_both_commands_an_answer_and_the_recognisers():
    top = "\n".join(README.splitlines()[:40])
    wanted = (
        "docs/screenshots/drawing",
        "git clone",
        "make up",
        "curl",
        '"label": "7"',
        "from inkserve import",
        "| `reader`",
    )
    assert [each for each in wanted if each not in top] == []


def test_the_moving_picture_is_small_and_moves():
    [name] = re.findall(r"\((docs/screenshots/drawing\.\w+)\)", README)
    assert (ROOT / name).stat().st_size < 1_500_000
    with Image.open(ROOT / name) as picture:
        assert picture.n_frames > 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_named_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text())) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_linked_exists(page):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
    not_committed = {"mistakes.png", "pages.png"}  # pictures of data sets
    assert [name for name in links if name not in not_committed and not (page.parent / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_part_is_there_twice(page):
    """A link to a heading finds the first, and a part that was copied stays wrong when the other is changed."""
    headings = re.findall(r"^##? .*$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    assert sorted({*headings}) == sorted(headings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_named_exists(page):
    """`python -m name`, and files of ours in backticks."""
    text = page.read_text()
    modules = [each for each in re.findall(r"python -m ([a-z_.]+\w)", text) if each.split(".")[0] in OURS]
    assert [each for each in modules if find_spec(each) is None] == []


@pytest.mark.server
def test_make_up_prints_what_is_shown(tmp_path):
    variables = port_variables() | {"RUN_DIR": str(tmp_path / "stack")}
    make = {"cwd": ROOT, "env": environment(**variables), "capture_output": True, "text": True, "timeout": 180}
    try:
        done = subprocess.run(["make", "--no-print-directory", "up"], check=False, **make)
    finally:
        subprocess.run(["make", "--no-print-directory", "down"], check=True, **make)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    shown = re.search(r"\$ make up\n(.*?)```", START, re.DOTALL)[1]
    assert without_numbers(done.stdout) == without_numbers(shown)


def without_numbers(text: str) -> list[str]:
    return [re.sub(r"[\d.]+", "#", line).rstrip() for line in text.splitlines()]
