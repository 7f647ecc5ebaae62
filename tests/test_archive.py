import json
import subprocess
import sys
import zipfile

import pytest

from deploy.local.settings import ROOT

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
    for source in (ROOT / "src").rglob("*.py"):
        assert (unpacked / source.relative_to(ROOT / "src")).read_text() == source.read_text()


def test_the_card_describes_the_weights(unpacked):
    card = json.loads((unpacked / "digits-1.0.json").read_text())
    assert card["bytes"] == (unpacked / "digits-1.0.safetensors").stat().st_size
    assert card["parameters"] <= 430_000
    assert card["metrics"][0]["accuracy"] >= 0.996
