"""The notebook, run from its first cell to its last."""

import json

import nbformat
import pytest
from nbclient import NotebookClient

from deploy.local.settings import ROOT

NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"
TIMEOUT_S = 300


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Jupyter's own
def test_the_tutorial_runs_on_few_digits(mnist_test, monkeypatch):
    monkeypatch.setenv("TUTORIAL_LIMIT", "2000")
    monkeypatch.setenv("TUTORIAL_EPOCHS", "2")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=TIMEOUT_S, resources={"metadata": {"path": NOTEBOOK.parent}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output.get("text", "") for output in outputs)
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert "trained here:" in printed
    assert len(pictures) >= 8


def test_the_committed_tutorial_holds_no_outputs():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
