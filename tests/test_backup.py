"""Backup and restore of the kept drawings."""

import subprocess
import sys
import zipfile

import pytest

from dashboard.finetune.backup import ROWS, BackupError, restore, save
from deploy.local.settings import ROOT
from inkserve.client import Prediction
from tests.conftest import drawings, environment
from training.drawing_store import Store


@pytest.fixture
def saved(store, tmp_path):
    """The path of a backup of all our drawings."""
    for path in drawings():
        store.keep(path.read_bytes(), path.name[0], Prediction("1", 0.55, (), "digits", "1.0", 3.0))
    assert save(store, tmp_path / "backup.zip") == len(drawings())
    return tmp_path / "backup.zip"


def contents(store: Store) -> list[tuple]:
    """All that is kept, but for the numbers."""
    fields = ("sha256", "picture", "label", "read_as", "confidence", "model", "version", "kept_at")
    return sorted(tuple(getattr(each, name) for name in fields) for each in store.latest(1000))


def test_what_was_lost_comes_back_as_it_was(store, saved):
    before = contents(store)
    for each in store.latest(1000):
        store.delete(each.id)
    assert restore(store, saved) == (len(before), 0)
    assert contents(store) == before


def test_a_backup_of_one_database_is_restored_into_another(store, saved, file_store):
    restore(file_store, saved)
    assert contents(file_store) == contents(store)


def test_what_was_kept_since_stays_and_labels_are_those_of_the_backup_again(store, saved, seven):
    store.keep(seven, "1")
    store.keep(seven + b"0", "7")
    assert restore(store, saved) == (0, len(drawings()))
    assert store.counts()["7"] == 1 + sum(path.name[0] == "7" for path in drawings())


@pytest.mark.parametrize("spoil", ["cut", "changed", "no rows", "no file", "half of the rows"])
def test_a_damaged_backup_restores_nothing(file_store, saved, spoil):
    content = saved.read_bytes()
    if spoil == "cut":
        saved.write_bytes(content[: len(content) // 2])
    elif spoil == "changed":
        saved.write_bytes(content.replace(b"IDAT", b"IDAX", 1))
    elif spoil == "no file":
        saved.unlink()
    else:
        with zipfile.ZipFile(saved) as packed:
            members = {name: packed.read(name) for name in packed.namelist()}
        rows = members.pop(ROWS)
        with zipfile.ZipFile(saved, "w") as packed:
            for name, picture in members.items():
                packed.writestr(name, picture)
            if spoil == "half of the rows":
                packed.writestr(ROWS, rows[: len(rows) // 2])
    with pytest.raises(BackupError, match=r"backup\.zip is no backup, or is damaged: .*; nothing was restored"):
        restore(file_store, saved)
    assert file_store.counts() == {}


def test_a_backup_that_cannot_be_written_leaves_the_old_one(file_store, tmp_path):
    folder = tmp_path / "backups"
    folder.write_text("no folder")
    with pytest.raises(BackupError, match="cannot be written"):
        save(file_store, folder / "backup.zip")


def test_one_command_each(file_store, seven, tmp_path):
    def run(command: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "dashboard.finetune.backup", command, tmp_path / "backup.zip"],
            cwd=ROOT,
            env=environment(DATABASE_URL=file_store.url),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    missing = run("restore")
    assert (missing.returncode, len(missing.stderr.splitlines())) == (1, 1)
    file_store.keep(seven, "7")
    assert run("save").stdout.startswith("saved 1 drawings")
    file_store.delete(file_store.latest(1)[0].id)
    assert run("restore").stdout.startswith("restored 1 drawings")
    assert file_store.counts() == {"7": 1}
