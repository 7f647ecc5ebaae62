import json
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
import torch

from deploy.local.settings import ROOT
from handwriting.checkpoint import load_checkpoint
from handwriting.labels import CHARACTERS, DIGITS
from tests.conftest import drawings, environment
from tests.pictures import encode
from training.data import Characters, DataError, title_of
from training.drawing_store import StoreError
from training.drawings import load_drawings
from training.finetune import finetune, mix, parse, split


@pytest.fixture
def own_drawings(tmp_path):
    """A folder with six drawings of each of three digits: ours, and ours mirrored so that they are something new."""
    for path in drawings():
        if path.name[0] in "247":
            folder = tmp_path / "drawings" / path.name[0]
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder)
            shutil.copy(path, folder / f"again-{path.name}")
    return tmp_path / "drawings"


def test_drawings_of_a_folder_have_its_subfolders_names_as_labels(own_drawings):
    found = load_drawings(str(own_drawings), DIGITS, "mnist")
    assert found.images.shape == (len(found), 28, 28)
    assert set(found.labels) == {2, 4, 7}


def test_drawings_of_a_database_are_read_like_those_of_a_folder(own_drawings, tmp_path):
    with sqlite3.connect(tmp_path / "drawings.db") as database:
        database.execute("CREATE TABLE drawings (id INTEGER PRIMARY KEY, label TEXT, picture BLOB)")
        rows = [(path.parent.name, path.read_bytes()) for path in sorted(own_drawings.glob("*/*"))]
        database.executemany("INSERT INTO drawings (label, picture) VALUES (?, ?)", rows)
    database.close()
    of_folder = load_drawings(str(own_drawings), DIGITS, "mnist")
    of_database = load_drawings(f"sqlite:///{tmp_path / 'drawings.db'}", DIGITS, "mnist")
    assert np.array_equal(of_folder.images, of_database.images)
    assert np.array_equal(of_folder.labels, of_database.labels)


def test_a_lower_case_folder_counts_for_the_capital_that_stands_for_both(own_drawings):
    (own_drawings / "2").rename(own_drawings / "c")
    found = load_drawings(str(own_drawings), CHARACTERS, "emnist")
    assert CHARACTERS.index("C") in found.labels


def test_one_label_is_too_few(own_drawings):
    shutil.rmtree(own_drawings / "2")
    shutil.rmtree(own_drawings / "4")
    with pytest.raises(DataError, match="has 6 of '7'; wanted at least 5 drawings of each of at least 2 labels of 0 1"):
        load_drawings(str(own_drawings), DIGITS, "mnist")


def test_labels_with_few_drawings_and_unknown_ones_are_left_out_and_said(own_drawings, capsys):
    for path in sorted((own_drawings / "4").iterdir())[1:]:
        path.unlink()
    shutil.copytree(own_drawings / "2", own_drawings / "two")
    found = load_drawings(str(own_drawings), DIGITS, "mnist")
    assert np.unique(found.labels).tolist() == [2, 7]
    assert "left out: 1 of '4', 6 of 'two'; wanted labels of the recogniser" in capsys.readouterr().out


def test_a_blank_drawing_is_named(own_drawings):
    (own_drawings / "2" / "blank.png").write_bytes(encode(np.full((50, 50), 255, np.uint8)))
    with pytest.raises(DataError, match=r"blank\.png: the picture is blank"):
        load_drawings(str(own_drawings), DIGITS, "mnist")


def test_a_missing_database_is_not_made(tmp_path):
    with pytest.raises(StoreError, match="no such file"):
        load_drawings(f"sqlite:///{tmp_path / 'none.db'}", DIGITS, "mnist")
    assert not list(tmp_path.iterdir())


def test_some_of_each_label_are_kept_aside():
    drawings = Characters(np.zeros((20, 28, 28), np.uint8), np.repeat([0, 1, 2, 3], 5))
    learned, aside = split(drawings, seed=0)
    assert sorted(aside.labels) == [0, 1, 2, 3]
    assert len(learned) == 16


def test_drawings_make_up_a_quarter_of_the_mixture():
    drawings = Characters(np.full((10, 28, 28), 1, np.uint8), np.zeros(10, np.int64))
    originals = Characters(np.zeros((5000, 28, 28), np.uint8), np.zeros(5000, np.int64))
    assert mix(drawings, originals, seed=0).images.max(axis=(1, 2)).mean() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("model", ["digits-tiny", pytest.param("digits", marks=pytest.mark.campaign)])
def test_a_fine_tuned_version_stands_beside_the_old_one_and_says_what_it_reads(
    model, mnist_train, own_drawings, tmp_path, capsys
):
    for path in (ROOT / "weights").glob(f"{model}-1.0.*"):
        shutil.copy(path, tmp_path)
    options = parse([model, str(own_drawings), "--weights", str(tmp_path), "--epochs", "1", "--test-limit", "500"])
    torch.set_num_threads(1)
    weights = finetune(options)
    printed = capsys.readouterr().out
    assert weights.name == f"{model}-1.1.safetensors"
    assert f"{title_of('mnist', 'test')} (500): {model} 1.0" in printed
    assert "drawings kept aside" in printed
    card = json.loads(weights.with_suffix(".json").read_text())
    assert card["drawings"] == {"2": 6, "4": 6, "7": 6}
    assert card["base"]["version"] == "1.0"
    assert card["metrics"][0]["accuracy"] > 0.98
    old, new = (load_checkpoint(path).state_dict() for path in (tmp_path / f"{model}-1.0.safetensors", weights))
    assert any(not torch.equal(old[name], new[name]) for name in old)


def test_too_few_drawings_end_the_command_with_one_line(tmp_path):
    command = [sys.executable, "-m", "training.finetune", "digits", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"finetune: {tmp_path} has no drawings; "
        "wanted at least 5 drawings of each of at least 2 labels of 0 1 2 3 4 5 6 7 8 9"
    ]
