"""The Batch page, piece by piece, and as a whole with the server up and down."""

import csv
import io
import json
import struct
import time
import zipfile
from pathlib import Path

import pytest
import streamlit as st
from streamlit.runtime.scriptrunner_utils.exceptions import StopException
from streamlit.testing.v1 import AppTest

from dashboard.batch import batch_html, session_batch, uploads
from dashboard.batch.batch_job import Job, Progress, unread
from dashboard.batch.folder_accuracy import folder_label, in_cell, is_wrong, score
from dashboard.batch.result_files import file_name, to_csv, to_json
from dashboard.batch.result_table import PAGE_ROWS, Order, Show, Thumbnails, arrange, frame, pages, select
from dashboard.batch.uploads import MAX_PICTURES, collect
from handwriting.labels import CHARACTERS, DIGITS
from inkserve.batch.kinds import TEXT, UNKNOWN
from inkserve.batch.sources import Entry
from inkserve.client import Candidate, Prediction, Recogniser, Rejected, ServerDown
from inkserve.client.pictures import to_bytes
from inkserve.intervals import wilson_interval
from tests.answering import SEVEN, SILENCE, answering, closed_port
from tests.conftest import drawings
from tests.pictures import zipped

ROOT = Path(__file__).parents[1]
PICTURE = (ROOT / "examples/digits/7-1.png").read_bytes()
BLANK = Rejected("InvalidImage", "blank")


def predicted(label: str, confidence: float) -> Prediction:
    return Prediction(label, confidence, (Candidate(label, confidence), Candidate("1", 0.01)), "digits", "1.0", 9.0)


def names(upload: uploads.Upload) -> list[str]:
    return [entry.name for entry in upload.entries]


# Uploads


def test_files_of_all_kinds_become_one_batch():
    files = [("b.png", b"b"), ("a.ZIP", zipped({"7/c.png": b"c", "7/a.png": b"a", "note.txt": b""})), ("note.txt", b"")]
    upload = collect(files)
    assert names(upload) == ["b.png", "a.ZIP/7/a.png", "a.ZIP/7/c.png"]
    assert [to_bytes(entry.picture) for entry in upload.entries] == [b"b", b"a", b"c"]
    assert [tuple(each) for each in upload.left_out] == [("a.ZIP/note.txt", TEXT), ("note.txt", TEXT)]
    assert upload.refusals == []


def test_a_zip_file_alone_keeps_its_names():
    assert names(collect([("a.zip", zipped({"7/c.png": b""}))])) == ["7/c.png"]


def test_hidden_files_count_for_nothing():
    upload = collect([("a.zip", zipped({"a.png": b"", "__MACOSX/a.png": b"", ".b.png": b""})), (".DS_Store", b"")])
    assert (names(upload), upload.left_out) == (["a.zip/a.png"], [])


def test_a_zip_file_in_a_zip_file_is_left_out():
    upload = collect([("a.zip", zipped({"b.zip": zipped({"c.png": b""}), "d.png": b""}))])
    assert (names(upload), [tuple(each) for each in upload.left_out]) == (["d.png"], [("b.zip", UNKNOWN)])


def test_files_that_are_left_out_are_named_with_the_reason():
    upload = collect([("a.zip", zipped({"a.png": b"", "<b>.txt": b""})), *((f"{i}.csv", b"") for i in range(60))])
    shown = batch_html.skipped(upload)
    assert "<summary>61 files left out</summary>" in shown
    assert f"<li>a.zip/&lt;b&gt;.txt: {TEXT}</li>" in shown
    assert "<li>and 11 more files</li>" in shown


def test_the_pictures_in_a_cell_of_the_confusion_matrix():
    results = [predicted("1", 0.9), predicted("7", 0.9), BLANK, None, predicted("1", 0.8)]
    assert in_cell(["7", "7", "7", "7", None], results, ("7", "1")) == [0]


@pytest.mark.parametrize("name", ["../../up.png", "/root.png", "C:\\windows.png", "a/../../b.png"])
def test_names_like_paths_are_only_names(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [entry] = collect([("a.zip", zipped({name: b"x"}))]).entries
    assert to_bytes(entry.picture) == b"x"
    assert list(tmp_path.iterdir()) == []


def test_a_zip_file_of_too_many_pictures_is_refused():
    upload = collect([("a.zip", zipped({f"{number}.png": b"" for number in range(MAX_PICTURES + 1)}))])
    assert not upload.entries
    assert upload.refusals == ["a.zip holds 10,001 pictures; at most 10,000"]


def test_the_limit_is_one_of_all_files_together(monkeypatch):
    monkeypatch.setattr(uploads, "MAX_PICTURES", 3)
    two = zipped({"a.png": b"", "b.png": b""})
    upload = collect([("a.zip", two), ("b.zip", two), ("c.png", b""), ("d.png", b""), ("e.png", b"")])
    assert names(upload) == ["a.zip/a.png", "a.zip/b.png", "c.png"]
    assert upload.refusals[0] == "b.zip holds 2 pictures; at most 3, of which 1 are left"
    assert upload.refusals[1].startswith("2 pictures over the limit were skipped")


def test_a_zip_bomb_is_refused_by_what_it_says():
    upload = collect([("bomb.zip", zipped({f"{number}.png": bytes(2**24) for number in range(13)}))])
    assert not upload.entries
    assert upload.refusals == ["bomb.zip unpacks to 208 MB; at most 200 MB in all"]


def test_a_zip_bomb_that_lies_about_its_size_is_stopped():
    honest = zipped({"bomb.png": bytes(2**24)})
    lie = honest.replace(struct.pack("<I", 2**24), struct.pack("<I", 100))
    [entry] = collect([("bomb.zip", lie)]).entries
    with pytest.raises(Exception, match="CRC"):
        to_bytes(entry.picture)


def test_a_zip_file_that_lists_a_million_files_is_not_even_opened():
    upload = collect([("a.zip", b"PK\x01\x02" * 60_000)])
    assert upload.refusals == ["a.zip lists 60,000 files; at most 50,000"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a ZIP file"),
        (b"PK\x03\x04 cut", "is not a ZIP file"),
        (zipped({"7.png": PICTURE})[:-30], "is not a ZIP file"),
        (zipped({}), "holds no picture"),
        (zipped({"a/": b"", "note.txt": b""}), "holds no picture"),
    ],
    ids=["empty", "broken", "cut", "without files", "without pictures"],
)
def test_a_zip_file_without_pictures_is_refused(content, reason):
    upload = collect([("a.zip", content), ("b.png", b"")])
    assert names(upload) == ["b.png"]
    assert reason in upload.refusals[0]


def encrypted() -> bytes:
    """A ZIP file whose only member says that it is encrypted."""
    content = bytearray(zipped({"7.png": PICTURE}, zipfile.ZIP_STORED))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def damaged() -> bytes:
    content = bytearray(zipped({"7.png": PICTURE}, zipfile.ZIP_STORED))
    content[content.index(b"IHDR")] ^= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"), [(encrypted(), "encrypted"), (damaged(), "CRC")], ids=["encrypted", "damaged"]
)
def test_a_picture_that_cannot_be_unpacked_is_a_row_with_its_error(content, reason):
    with answering((200, {"predictions": [SEVEN]})) as server:
        job = finished(collect([("a.zip", content), ("b.png", PICTURE)]).entries, server.url)
    assert reason in job.results[0].message
    assert job.results[1].label == "7"


# Jobs


def finished(entries, url: str) -> Job:
    job = Job(entries, Recogniser("digits", url, tries=1)).start()
    assert job.wait(60)
    return job


def entries_of(count: int) -> list[Entry]:
    return [Entry(f"7/{number}.png", PICTURE) for number in range(count)]


def test_progress_tells_rate_and_time_left():
    progress = Progress(done=250, total=1000, failed=1, elapsed_s=0.5)
    assert (progress.share, progress.rate, progress.left_s) == (0.25, 500, 1.5)
    assert batch_html.progress_line(progress) == "250 of 1,000 pictures · 500 pictures/s · 1.5 s left · 1 with an error"
    assert batch_html.progress_line(Progress(0, 10, 0, 0.1)) == "0 of 10 pictures"
    assert batch_html.duration(0.04) == "less than 0.1 s"


def test_a_job_goes_on_where_an_earlier_one_had_no_answer():
    read, down = predicted("3", 0.9), ServerDown("it does not answer")
    with answering(
        lambda body: (200, {"predictions": [SEVEN] * len(zipfile.ZipFile(io.BytesIO(body)).namelist())})
    ) as server:
        job = Job(entries_of(5), Recogniser("digits", server.url), [read, down, BLANK, None, read]).start()
        assert job.wait(60)
    assert [each.label if isinstance(each, Prediction) else each for each in job.results] == ["3", "7", BLANK, "7", "3"]
    assert (job.progress().done, job.progress().total) == (2, 2)
    assert unread(job.results) == []
    upload = collect([(f"{number}.png", b"") for number in range(5)])
    assert "4 of 5 pictures read" in batch_html.outcome(job, upload)
    assert "1 picture could not be read: 7/2.png. Blank" in batch_html.outcome(job, upload)


def test_a_cancelled_job_ends():
    with answering(SILENCE) as server:
        job = Job(entries_of(1000), Recogniser("digits", server.url)).start()
        job.wait(0.2)
        job.cancel()
        assert job.wait(60)
    assert job.cancelled
    assert "Cancelled: 1,000 pictures not read" in batch_html.outcome(job, collect([]))


def test_a_job_tells_when_our_own_code_failed(monkeypatch):
    monkeypatch.setattr(Recogniser, "predict_many", lambda *_, **__: 1 / 0)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    job = finished(entries_of(1), closed_port())
    assert job.fault == "ZeroDivisionError: division by zero"
    assert "stopped with an error" in batch_html.outcome(job, collect([]))


# Scores


@pytest.mark.parametrize(
    ("name", "labels", "label"),
    [
        ("7/a.png", DIGITS, "7"),
        ("set/7/a.png", DIGITS, "7"),
        ("set\\7\\a.png", DIGITS, "7"),
        ("7/more/a.png", DIGITS, None),
        ("7.png", DIGITS, None),
        ("A/a.png", DIGITS, None),
        ("c/a.png", CHARACTERS, "C"),
        ("a/a.png", CHARACTERS, "a"),
    ],
)
def test_a_folder_named_after_a_label_says_what_its_pictures_show(name, labels, label):
    assert folder_label(name, labels) == label


def test_accuracy_counts_labelled_pictures_that_were_read():
    truths = ["7", "7", "3", "3", None, "1"]
    results = [predicted("7", 0.9), predicted("1", 0.9), predicted("3", 0.9), BLANK, predicted("0", 0.9), None]
    found = score(truths, results)
    assert (found.right, found.read, found.unread) == (2, 3, 1)
    assert found.confusion == {("7", "7"): 1, ("7", "1"): 1, ("3", "3"): 1}
    assert found.interval == pytest.approx((0.2077, 0.9385), abs=1e-4)
    assert "7 read as 1 (1)" in batch_html.accuracy(found)
    assert score([None], [predicted("7", 1)]) is None


def test_the_interval_of_all_right_is_not_a_point():
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


# The table

RESULTS = [predicted("7", 0.99999), predicted("1", 0.5), BLANK, None, predicted("7", 0.8)]
TRUTHS = ["7", "7", "7", "7", None]


@pytest.mark.parametrize(
    ("show", "indexes"),
    [(Show.ALL, [0, 1, 2, 4]), (Show.UNSURE, [1, 4]), (Show.ERRORS, [2]), (Show.WRONG, [1])],
)
def test_rows_are_chosen(show, indexes):
    assert select(show, RESULTS, TRUTHS, 0.9) == indexes
    assert not is_wrong("7", BLANK)


def test_rows_are_ordered_by_confidence_and_errors_come_last():
    assert arrange([0, 1, 2, 4], RESULTS, Order.LEAST_SURE) == [1, 4, 0, 2]
    assert arrange([0, 1, 2, 4], RESULTS, Order.SUREST) == [0, 4, 1, 2]
    assert arrange([0, 1, 2, 4], RESULTS, Order.UPLOADED) == [0, 1, 2, 4]


def test_rows_are_spread_over_pages():
    assert [pages(rows) for rows in (0, 1, PAGE_ROWS, PAGE_ROWS + 1)] == [1, 1, 1, 2]


def test_no_confidence_is_rounded_to_a_certainty():
    rows = frame([0, 2], entries_of(5), RESULTS, [None, None], TRUTHS)
    assert rows["Confidence"][0] == 0.9999
    assert list(rows["Error or note"]) == ["", "InvalidImage: blank"]


def test_thumbnails_are_small_and_missing_for_what_is_no_picture():
    made, missing = Thumbnails([Entry("7.png", PICTURE), Entry("b.png", b"x")]).of([0, 1])
    assert made[0].startswith("data:image/png;base64,")
    assert len(made[0]) < 10_000
    assert (made[1], missing) == (None, 0)


def test_thumbnails_of_large_pictures_come_later(monkeypatch):
    monkeypatch.setattr("dashboard.batch.result_table.THUMBNAILS_S", -1)
    assert Thumbnails(entries_of(3)).of([0, 1]) == ([None, None], 2)


def test_corrections_are_kept_with_their_pictures(monkeypatch):
    session = {}
    monkeypatch.setattr(session_batch.st, "session_state", session)
    batch = session_batch.Batch(collect([("7/a.png", PICTURE), ("b.png", PICTURE + b"more")]))
    batch.from_folders, batch.truths = ["7", None], ["7", None]
    session_batch.correct(batch, 1, "1")
    assert list(session["corrections"].values()) == [("1", PICTURE + b"more")]
    assert batch.truths == ["7", "1"]
    session_batch.correct(batch, 0, "7")  # as its folder says already
    session_batch.correct(batch, 1, None)
    assert session["corrections"] == {}


# Files


@pytest.fixture
def job() -> Job:
    with answering((200, {"predictions": [SEVEN, {"error": {"code": 400, "type": "T", "message": "m"}}]})) as server:
        return finished([Entry("=7/a.png", PICTURE), Entry("b.png", PICTURE)], server.url)


def test_csv_has_model_version_and_time(job):
    first, second = csv.DictReader(io.StringIO(to_csv(job, ["7", None]).decode(), newline=""))
    assert (first["name"], first["label"], first["right_label"]) == ("./=7/a.png", "7", "7")
    assert (second["error_type"], second["label"], second["right_label"]) == ("T", "", "")
    assert {(row["model"], row["version"]) for row in (first, second)} == {("digits", "1.0")}
    assert first["time"].endswith("Z")


def test_json_has_model_version_and_time(job):
    document = json.loads(to_json(job, ["7", None]))
    assert (document["model"], document["version"]) == ("digits", "1.0")
    assert [each["name"] for each in document["pictures"]] == ["=7/a.png", "b.png"]
    assert document["pictures"][0]["right_label"] == "7"
    assert file_name(job, ".json").startswith("batch-digits-1.0-20")


# The page


@pytest.fixture
def app(monkeypatch):
    """Open the page in front of a server."""

    def open_page(url: str) -> AppTest:
        monkeypatch.setenv("INKSERVE_URL", url)
        monkeypatch.setenv("INKSERVE_MANAGEMENT_URL", closed_port())
        st.cache_data.clear()
        page = AppTest.from_file(ROOT / "dashboard/app.py", default_timeout=30)
        return page.run().switch_page("batch/page.py").run()

    return open_page


def upload(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    """Upload files and wait for the end of their reading."""
    page.file_uploader[0].set_value([(name, content, "") for name, content in files]).run()
    give_up = time.monotonic() + 60
    while page.get("button") and any(button.label == "Cancel" for button in page.button):
        assert time.monotonic() < give_up
        time.sleep(0.1)
        page.run()
    return page


def text_of(page: AppTest) -> str:
    assert not page.exception
    return " ".join(element.proto.body for element in page.get("html") if "<style>" not in element.proto.body)


def answer(body: bytes):
    """A prediction for each picture, or one for a single one."""
    if not body.startswith(b"PK"):
        return 200, SEVEN
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return 200, {"predictions": [SEVEN] * len(archive.namelist())}


def test_the_page_says_what_it_takes(app):
    with answering(answer) as server:
        text = text_of(app(server.url))
    assert "Choose pictures" in text
    assert "In ZIP files at most 10,000 pictures, as separate files about 300; 200 MB unpacked" in text


def test_one_picture_shows_its_label(app):
    with answering(answer) as server:
        page = upload(app(server.url), ("7.png", PICTURE))
        assert '<span class="ink-label">7</span>' in text_of(page)
        assert len(page.get("image")) == 1


def test_files_are_taken_although_the_run_that_got_them_is_interrupted(app, monkeypatch):
    interrupted = []

    def collect_at_the_second_run(files):
        if not interrupted:
            interrupted.append(len(files))
            raise StopException
        return collect(files)

    monkeypatch.setattr("dashboard.batch.session_batch.collect", collect_at_the_second_run)
    with answering(answer) as server:
        page = upload(app(server.url), ("7.png", PICTURE), ("8.png", PICTURE))
        assert interrupted == [2]
        page.run()
        assert "2 of 2 pictures read" in text_of(page)


def test_many_pictures_give_a_table_with_accuracy(app):
    drawn = {f"{path.name[0]}/{path.name}": path.read_bytes() for path in drawings()}
    with answering(answer) as server:
        page = upload(app(server.url), ("a.zip", zipped(drawn)))
    assert "30 of 30 pictures read" in text_of(page)
    assert "3 of 30 pictures in folders named after labels" in text_of(page)
    [table] = page.get("data_editor")
    assert len(table.value) == 30


def test_a_name_with_html_is_text(app):
    with answering(answer) as server:
        page = upload(app(server.url), ("<b>x</b>.zip", b"no ZIP"), ("7.png", PICTURE), ("8.png", PICTURE))
    assert "&lt;b&gt;x&lt;/b&gt;.zip is not a ZIP file" in text_of(page)


def test_nothing_to_read_is_told(app):
    with answering(answer) as server:
        page = upload(app(server.url), ("a.zip", b"no ZIP"))
    assert "No pictures found" in text_of(page)


def test_pictures_wait_for_a_server_that_is_down(app):
    page = app(closed_port())
    page = upload(page, ("7.png", PICTURE), ("8.png", PICTURE))
    assert "Waiting for the server" in text_of(page)
    assert text_of(page).count("ink-banner") == 1


def test_the_batch_survives_a_change_of_page(app):
    with answering(answer) as server:
        page = upload(app(server.url), ("7.png", PICTURE), ("8.png", PICTURE))
        page.switch_page("draw/page.py").run()
        page.switch_page("batch/page.py").run()
    assert "2 of 2 pictures read" in text_of(page)
