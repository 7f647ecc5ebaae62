"""The kept drawings, fine-tuning with them in the background, and what the Fine-tune page shows."""

import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from unittest import mock

import pytest
from sqlalchemy import text

from dashboard.finetune import finetuned, finetuned_html, rollout
from dashboard.finetune.finetune_process import FineTuning
from dashboard.finetune.finetuned import DrawingComparison
from dashboard.finetune.rollout import Stage, Task
from dashboard.shared.recogniser_comparison import ComparedPicture
from handwriting.labels import DIGITS
from inkserve import Prediction
from inkserve.management import ManagementError, ModelVersion
from tests.answering import answering, sevens
from tests.conftest import drawings
from tests.finetuned_version import finetuned_version
from training.card import Metric
from training.drawing_store import Drawing, Store, StoreError, ending, folder_name
from training.drawings import load_drawings

PREDICTION = Prediction("1", 0.55, (), "digits", "1.0", 3.0)


def keep_all(store: Store) -> None:
    for path in drawings():
        store.keep(path.read_bytes(), path.name[0])


def test_a_drawing_is_kept_with_what_was_read(store, seven):
    assert store.keep(seven, "7", PREDICTION)
    [kept] = store.latest(5)
    assert (kept.picture, kept.label, kept.read_as, kept.confidence) == (seven, "7", "1", 0.55)
    assert (kept.model, kept.version) == ("digits", "1.0")
    assert store.counts() == {"7": 1}


def test_the_same_picture_is_kept_once_and_the_last_label_holds(store, seven):
    assert store.keep(seven, "1")
    assert not store.keep(seven, "7")
    assert store.counts() == {"7": 1}


@pytest.mark.parametrize("count", [2, 8])
def test_many_at_once_keep_one_picture_once(store, seven, count):
    new: list[bool] = []
    together = threading.Barrier(count)

    def keep() -> None:
        together.wait()
        new.append(store.keep(seven, "7"))

    threads = [threading.Thread(target=keep) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new) == [False] * (count - 1) + [True]
    assert store.counts() == {"7": 1}


def test_many_at_once_open_an_empty_database(url):
    opened: list[Store] = []
    together = threading.Barrier(4)

    def open_it() -> None:
        together.wait()
        opened.append(Store(url))

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.counts() for each in opened] == [{}] * 4
    for each in opened:
        each.engine.dispose()


def test_a_drawing_is_deleted(store, seven):
    store.keep(seven, "7")
    [kept] = store.latest(1)
    store.delete(kept.id)
    store.delete(kept.id)
    assert store.counts() == {}


def test_a_deleted_drawing_is_put_back_with_what_it_was_read_as(store, seven):
    store.keep(seven, "7", PREDICTION)
    [kept] = store.latest(1)
    store.delete(kept.id)
    store.put_back(kept)
    [again] = store.latest(1)
    assert (again.label, again.read_as, again.picture) == ("7", "1", seven)
    store.put_back(again)
    assert store.counts() == {"7": 1}


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
def test_an_empty_or_long_label_is_refused(store, seven, label):
    with pytest.raises(StoreError, match="wanted 1 to 8 characters"):
        store.keep(seven, label)
    assert store.counts() == {}


@pytest.mark.parametrize(
    "address",
    ["nonsense", "mystery://host/db", "sqlite:////proc/nowhere/drawings.db", "postgresql://me:secret@127.0.0.1:1/db"],
)
def test_a_database_that_cannot_be_opened_is_named(address):
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        Store(address)
    assert "secret" not in str(caught.value)


def test_a_database_that_breaks_says_so(store, seven):
    store.keep(seven, "7")
    with store.engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {Drawing.__tablename__}"))
    with pytest.raises(StoreError, match=r"no such table|does not exist"):
        store.counts()


# Keeps drawings and says so after each, until it is killed
WRITER = """
import sys
from training.drawing_store import Store
store = Store(sys.argv[1])
for number in range(100_000):
    store.keep(b"picture %d" % number, "7")
    print(number, flush=True)
"""


def test_a_kill_in_the_middle_loses_nothing_that_was_acknowledged(url, request):
    with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True) as writer:
        told = [writer.stdout.readline() for _ in range(50)]
        if url.startswith("postgresql"):
            cluster = request.getfixturevalue("postgres")
            cluster.kill()  # the server first, while it is written to
            writer.kill()
            cluster.start()
        else:
            writer.kill()
        told += writer.stdout.readlines()
    acknowledged = sum(line.endswith("\n") for line in told)
    assert acknowledged >= 50
    again = Store(url)
    assert acknowledged <= sum(again.counts().values()) <= acknowledged + 1
    again.engine.dispose()


def test_a_store_goes_on_after_its_server_was_started_again(postgres, seven):
    store = Store(postgres.new_database())
    store.keep(seven, "7")
    postgres.kill()
    with pytest.raises(StoreError):
        store.counts()
    postgres.start()
    assert store.counts() == {"7": 1}
    store.engine.dispose()


def wait(tuning: FineTuning) -> None:
    deadline = time.monotonic() + 120
    while tuning.is_running() and time.monotonic() < deadline:
        time.sleep(0.1)


def test_fine_tuning_says_why_it_failed(store, tmp_path, seven):
    store.keep(seven, "7")
    tuning = FineTuning(tmp_path)
    assert (tuning.outcome(), tuning.output(), tuning.fault(), tuning.progress()) == (None, "", "", None)
    assert tuning.start("digits", store.url)
    assert not tuning.start("digits", store.url)  # one at a time
    wait(tuning)
    assert tuning.outcome() == 1
    assert tuning.fault().startswith("the database has 1 of '7'; wanted at least 5 drawings of each of at least 2")


def test_a_password_is_in_no_output(tmp_path):
    tuning = FineTuning(tmp_path)
    tuning.start("digits", "postgres://me:secret@127.0.0.1:1/drawings")
    wait(tuning)
    assert tuning.fault().startswith("the database: no table of drawings can be read")
    assert "secret" not in tuning.log.read_text()


def test_fine_tuning_without_the_data_says_how_to_get_it(file_store, tmp_path):
    for path in drawings():
        for extra in (b"", b"0"):
            file_store.keep(path.read_bytes() + extra, path.name[0])
    with mock.patch.dict(os.environ, DATA_DIR=str(tmp_path / "nowhere")):
        tuning = FineTuning(tmp_path / "finetuned")
        tuning.start("digits", file_store.url)
        wait(tuning)
    assert "DATA_DIR" in tuning.fault()
    assert finetuned.read_finetuned(tmp_path / "finetuned") == []


def test_fine_tuning_can_be_stopped(tmp_path, file_store):
    keep_all(file_store)
    tuning = FineTuning(tmp_path)
    tuning.start("digits", file_store.url)
    tuning.stop()
    wait(tuning)
    assert tuning.fault() == "it was stopped"


@pytest.mark.parametrize(("done", "left_s"), [(0, None), (2, 15.0), (5, 0.0)])
def test_progress_has_the_time_left_at_the_rate_so_far(tmp_path, done, left_s):
    tuning = FineTuning(tmp_path)
    written = {"epochs": 5, "done": done, "started_at_s": 100.0, "updated_at_s": 110.0}
    tuning.progress_file.write_text(json.dumps(written))
    assert tuning.progress().left_s == left_s


def test_a_finetuned_version_is_read_from_its_card(tmp_path):
    found = finetuned_version(tmp_path)
    assert (str(found.base), str(found.tuned)) == ("digits-tiny 1.0", "digits-tiny 1.1")
    assert found.metrics == [Metric("drawings <kept> aside", 8, 1.0, accuracy_before=0.875)]
    shown = finetuned_html.report(found, Stage.NOT_LOADED)
    assert "7 of 8" in shown
    assert "8 of 8" in shown
    assert "With fewer than 30 characters" in shown
    assert "<kept>" not in shown


def test_an_incomplete_card_is_skipped(tmp_path):
    finetuned_version(tmp_path)
    card = (tmp_path / "digits-tiny-1.1.json").read_text()
    (tmp_path / "digits-tiny-1.1.json").write_text(card[:100])
    assert finetuned.read_finetuned(tmp_path) == []


def test_the_stage_depends_on_what_is_loaded(tmp_path):
    found = finetuned_version(tmp_path)
    old = ModelVersion("digits-tiny", "1.0", True, (), 1)
    assert rollout.stage_of(found, (old,)) is Stage.NOT_LOADED
    assert rollout.stage_of(found, (old, ModelVersion("digits-tiny", "1.1", False, (), 1))) is Stage.BESIDE
    assert rollout.stage_of(found, (ModelVersion("digits-tiny", "1.1", True, (), 1),)) is Stage.DEFAULT


def test_an_archive_is_packed_once_and_never_over_anothers(tmp_path):
    found, archives = finetuned_version(tmp_path / "finetuned"), tmp_path / "model_store"
    path = rollout.archive(found, archives)
    packed_ns = path.stat().st_mtime_ns
    assert rollout.archive(found, archives).stat().st_mtime_ns == packed_ns
    path.write_bytes(b"another's")
    with pytest.raises(ManagementError, match=r"digits-tiny-1\.1\.mar is in the model store already"):
        rollout.archive(found, archives)
    assert path.read_bytes() == b"another's"


def predicted(label: str) -> Prediction:
    return Prediction(label, 0.9, (), "digits-tiny", "1.0", 3.0)


def test_disagreements_are_shown_with_the_right_label(tmp_path):
    found = finetuned_version(tmp_path)
    disagreement = ComparedPicture("1", None, (predicted("1"), predicted("<b>7")))
    shown = finetuned_html.comparison(found, DrawingComparison(40, 30, 31, [("7", disagreement)]))
    assert "Of 40 kept drawings, 1.0 reads <b>30</b> correctly, and 1.1 <b>31</b>. They disagree on 1." in shown
    assert "1.0: 1, wrong" in shown
    assert "&lt;b&gt;7" in shown
    assert "agree on all of them" in finetuned_html.comparison(found, DrawingComparison(40, 30, 30, []))
    assert "No kept drawing has a label" in finetuned_html.comparison(found, DrawingComparison(0, 0, 0, []))


def test_both_versions_read_the_drawings_whose_labels_they_know(tmp_path, file_store, monkeypatch):
    for path in drawings():
        file_store.keep(path.read_bytes(), path.name[0])
    file_store.keep(drawings()[0].read_bytes() + b"0", "Z")
    with answering(sevens) as server:
        monkeypatch.setenv("INKSERVE_URL", server.url)
        compared = finetuned.compare_on_drawings(finetuned_version(tmp_path), file_store.latest(99))
    assert (compared.n, compared.base_correct, compared.tuned_correct) == (30, 3, 3)
    assert compared.disagreements == []


def test_one_task_runs_at_a_time():
    task, go_on, done = Task(), threading.Event(), []
    assert task.start("digits 1.1", "Loading ...", "Loaded.", lambda: (go_on.wait(10), done.append(1)))
    assert not task.start("digits 1.1", "Loading ...", "Loaded.", lambda: done.append(2))
    assert task.outcome is None
    go_on.set()
    task.wait(10)
    assert (done, task.outcome) == ([1], (True, "Loaded."))


def test_a_task_that_fails_says_why():
    def refuse() -> None:
        raise ManagementError("the server has no memory left")

    task = Task()
    task.start("digits 1.1", "Loading ...", "Loaded.", refuse)
    task.wait(10)
    assert task.outcome == (False, "Failed: the server has no memory left.")


def test_a_version_that_forgot_is_not_recommended(tmp_path):
    found = finetuned_version(tmp_path / "finetuned")
    assert found.forgot is None  # eight drawings are too few to say so
    within, beyond = (Metric("MNIST test", 2000, accuracy, accuracy_before=0.99) for accuracy in (0.987, 0.98))
    assert replace(found, metrics=[within]).forgot is None
    forgetful = replace(found, metrics=[beyond, *found.metrics])
    assert forgetful.forgot == beyond
    assert "Not recommended: it reads MNIST test worse than before" in finetuned_html.report(forgetful, None)


def test_what_was_left_out_is_said(tmp_path):
    tuning = FineTuning(tmp_path)
    assert not tuning.left_out()
    tuning.process = subprocess.Popen([sys.executable, "-c", ""])
    tuning.process.wait()
    tuning.log.write_text("left out: 1 of '4'; wanted labels of the recogniser\n48 drawings to learn from\n")
    assert tuning.left_out() == "left out: 1 of '4'; wanted labels of the recogniser"
