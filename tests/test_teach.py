"""What is kept to teach with: the store, and fine-tuning from it."""

import io
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile

import pytest

from dashboard.teach.store import Drawing, Reading, Store, StoreError, ending, folder_name
from dashboard.teach.tuning import Tuning
from handwriting.labels import DIGITS
from tests.conftest import drawings
from training.drawings import load_drawings

READING = Reading("1", 0.55, "digits", "1.0")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'new' / 'drawings.db'}")


def keep_all(store: Store) -> None:
    for path in drawings():
        store.keep(path.read_bytes(), path.name[0])


def test_a_drawing_is_kept_with_what_was_read(store, seven):
    assert store.keep(seven, "7", READING)
    [kept] = store.latest(5)
    assert (kept.picture, kept.label, kept.read_as, kept.confidence) == (seven, "7", "1", 0.55)
    assert (kept.model, kept.version) == ("digits", "1.0")
    assert store.counts() == {"7": 1}


def test_the_same_picture_is_kept_once_and_the_last_label_holds(store, seven):
    assert store.keep(seven, "1")
    assert not store.keep(seven, "7")
    assert store.counts() == {"7": 1}


def test_many_at_once_keep_one_picture_once(store, seven):
    threads = [threading.Thread(target=store.keep, args=(seven, "7")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.counts() == {"7": 1}


def test_a_drawing_is_deleted(store, seven):
    store.keep(seven, "7")
    [kept] = store.latest(1)
    store.drop(kept.id)
    store.drop(kept.id)
    assert store.counts() == {}


def test_the_latest_come_first_and_by_label(store):
    keep_all(store)
    assert len(store.latest(4)) == 4
    assert [each.label for each in store.latest(9, "3")] == ["3"] * 3
    assert store.latest(1)[0].label == "9"


def test_the_export_has_a_folder_for_each_label(store):
    keep_all(store)
    store.keep(b"GIF89a", "/..")
    with zipfile.ZipFile(io.BytesIO(store.export())) as archive:
        names = archive.namelist()
        assert archive.read("7/00001.png") in {path.read_bytes() for path in drawings()}
    assert len(names) == 31
    assert "U+002F-U+002E-U+002E/00001.gif" in names
    assert (folder_name("a"), folder_name("é"), ending(b"II*")) == ("a", "U+00E9", "tif")


def test_what_is_kept_can_be_learned_from(store):
    for path in drawings():
        store.keep(path.read_bytes(), path.name[0])
        store.keep(path.read_bytes() + b"0", path.name[0])  # bytes after a PNG's end change its digest alone
    found = load_drawings(store.url, DIGITS, "mnist")
    assert len(found.images) == 60


@pytest.mark.parametrize("label", ["", "123456789"])
def test_a_label_that_is_none_is_refused(store, seven, label):
    with pytest.raises(StoreError, match="wanted 1 to 8 characters"):
        store.keep(seven, label)
    assert store.counts() == {}


@pytest.mark.parametrize("url", ["nonsense", "mystery://host/db", "sqlite:////proc/nowhere/drawings.db"])
def test_a_database_that_cannot_be_opened_is_named(url):
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(url)


def test_a_database_that_breaks_says_so(store, seven, tmp_path):
    store.keep(seven, "7")
    with sqlite3.connect(tmp_path / "new" / "drawings.db") as other:
        other.execute(f"DROP TABLE {Drawing.__tablename__}")
    with pytest.raises(StoreError, match="no such table"):
        store.counts()


# Keeps drawings and says so after each, until it is killed
WRITER = """
import sys
from dashboard.teach.store import Store
store = Store(sys.argv[1])
for number in range(100_000):
    store.keep(b"picture %d" % number, "7")
    print(number, flush=True)
"""


def test_a_kill_in_the_middle_loses_nothing_that_was_acknowledged(tmp_path):
    url = f"sqlite:///{tmp_path / 'drawings.db'}"
    with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True) as writer:
        told = [writer.stdout.readline() for _ in range(50)]
        writer.kill()
        told += writer.stdout.readlines()
    acknowledged = sum(line.endswith("\n") for line in told)
    assert acknowledged >= 50
    assert acknowledged <= sum(Store(url).counts().values()) <= acknowledged + 1


def wait(tuning: Tuning) -> None:
    deadline = time.monotonic() + 60
    while tuning.is_running() and time.monotonic() < deadline:
        time.sleep(0.1)


def test_fine_tuning_tells_what_went_wrong(store, tmp_path, seven):
    store.keep(seven, "7")
    tuning = Tuning(tmp_path / "finetune.log")
    assert (tuning.outcome(), tuning.output()) == (None, "")
    assert tuning.start("digits", store.url)
    assert not tuning.start("digits", store.url)  # one at a time
    wait(tuning)
    assert tuning.outcome() == 1
    assert "wanted drawings of at least 2 labels" in tuning.output()


def test_fine_tuning_can_be_stopped(tmp_path, store):
    keep_all(store)
    tuning = Tuning(tmp_path / "finetune.log")
    tuning.start("digits", store.url)
    tuning.stop()
    wait(tuning)
    assert tuning.outcome() not in {0, None}
