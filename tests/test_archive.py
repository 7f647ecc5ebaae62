import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.archive import PACKAGE
from deploy.local.settings import ROOT

SOURCES = ("src", "handlers", "config", "weights", "deploy", "training", "dashboard", "measuring")
ARCHIVE = ROOT / "model_store" / "digits-1.0.mar"

# Loads the unpacked archive as TorchServe's worker does, in a process that finds the package nowhere else
WORKER = """
import json, sys
from types import SimpleNamespace
from ts.context import RequestProcessor
from ts.model_loader import ModelLoaderFactory
import handwriting.preprocess

metrics = SimpleNamespace(set_request_ids=lambda _: None)
loader = ModelLoaderFactory.get_model_loader()
service = loader.load("digits", ".", "digits_handler.py", batch_size=1, metrics_cache=metrics)
service.context.request_processor = [RequestProcessor({})]
answer = service._entry_point([{"body": open(sys.argv[1], "rb").read()}], service.context)[0]
print(json.dumps({"package": handwriting.preprocess.__file__, "answer": json.loads(answer)}))
"""

# Prints the modules that all handlers together import
IMPORTS = """
import importlib, pathlib, sys
for path in pathlib.Path.cwd().glob("*_handler.py"):
    importlib.import_module(path.stem)
print(*sys.modules)
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder


def test_the_archive_alone_reads_a_picture(unpacked):
    command = [sys.executable, "-c", WORKER, ROOT / "examples" / "digits" / "7-1.png"]
    done = subprocess.run(
        command,
        cwd=unpacked,
        env={"PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["package"].startswith(str(unpacked))
    assert result["answer"]["label"] == "7"


def test_the_archive_carries_weights_card_config_and_nothing_compiled():
    with zipfile.ZipFile(ARCHIVE) as archive:
        files = set(archive.namelist())
    assert {"digits-1.0.safetensors", "digits-1.0.json", "digits.yaml", "digits_handler.py"} <= files
    assert not [name for name in files if "__pycache__" in name or name.endswith((".pyc", ".pt", ".pkl"))]


def test_the_archive_has_the_code_of_the_working_tree(unpacked):
    for source in PACKAGE.rglob("*.py"):
        assert (unpacked / source.relative_to(PACKAGE.parent)).read_text() == source.read_text()


def test_the_archive_carries_no_other_package_of_ours(unpacked):
    assert {path.parent.name for path in unpacked.glob("*/__init__.py")} == {PACKAGE.name}


def test_the_handlers_import_every_module_of_the_package_and_nothing_that_they_do_not_need():
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], cwd=ROOT / "handlers", capture_output=True, text=True, check=True, timeout=120
    )
    imported = set(done.stdout.split())
    modules = (path.relative_to(PACKAGE.parent).with_suffix("").parts for path in PACKAGE.rglob("*.py"))
    # One runs in a process of its own; the other is for those who have no front end
    apart = {"handwriting.sandbox.server", "handwriting.serving.unpacked"}
    assert {".".join(parts).removesuffix(".__init__") for parts in modules} <= imported | apart
    assert not imported & {"inkserve", "requests", "sqlalchemy", "streamlit", "matplotlib"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout of empty files with all archives up to date, as far as make can tell."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / "Makefile", folder)
    names = [path.relative_to(ROOT) for part in SOURCES for path in (ROOT / part).rglob("*") if path.is_file()]
    for name in [*map(Path, ("pyproject.toml", "constraints.txt", "requirements.lock")), *names]:
        write_at(folder / name, 1000)
    stamps = [".venv/bin/python", ".venv/installed"]
    for name in [*stamps, *(f"model_store/{path.name}" for path in (ROOT / "model_store").glob("*.mar"))]:
        write_at(folder / name, 2000)
    return folder


def write_at(path, time_s):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time_s, time_s))


def stale(checkout, changed):
    """The archives that make would pack again after a change of some files."""
    for name in changed:
        write_at(checkout / name, 3000)
    done = subprocess.run(
        ["make", "--dry-run", "archive"], cwd=checkout, capture_output=True, text=True, check=True, timeout=60
    )
    for name in changed:
        write_at(checkout / name, 1000)
    return re.findall(r"-m deploy\.archive (.+)", done.stdout)


def files_of(folder):
    return [str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.py")]


@pytest.mark.parametrize("folder", ["src/inkserve", "training", "dashboard", "measuring", "deploy/local"])
def test_a_change_elsewhere_leaves_all_archives_up_to_date(checkout, folder):
    assert files_of(folder)
    assert stale(checkout, files_of(folder)) == []


CARRIED = ("src/handwriting/preprocess/ink.py", "src/handwriting/preprocess/ink.onnx", "handlers/digits_handler.py")


@pytest.mark.parametrize("name", CARRIED)
def test_a_change_of_what_archives_carry_makes_all_stale(checkout, name):
    assert len(stale(checkout, [name])) == len(list((ROOT / "model_store").glob("*.mar")))


def test_changed_weights_make_their_archive_stale(checkout):
    assert stale(checkout, ["weights/digits-1.0.safetensors"]) == ["weights/digits-1.0.safetensors"]


def test_the_card_describes_the_weights(unpacked):
    card = json.loads((unpacked / "digits-1.0.json").read_text())
    assert card["bytes"] == (unpacked / "digits-1.0.safetensors").stat().st_size
    assert card["parameters"] <= 430_000
    assert card["metrics"][0]["accuracy"] >= 0.996
