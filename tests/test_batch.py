"""`inkserve batch`, which reads a folder or ZIP file: with the real server, and a small one for what goes wrong."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.settings import ROOT
from handwriting.preprocess import MAX_BYTES
from inkserve import Candidate, Prediction, Rejected, UnusablePicture
from inkserve.batch.results import open_results, partial_of
from inkserve.batch.sources import SourceError, open_source
from inkserve.batch.summary import Summary, printable
from inkserve.cli import main
from inkserve.client.bulk import FIRST_PICTURES
from inkserve.client.pictures import to_bytes
from tests.answering import SILENCE, answering, closed_port, error, pictures_of, sevens
from tests.conftest import drawings

EXAMPLES = ROOT / "examples" / "digits"
PREDICTED = Prediction("7", 0.75, (Candidate("7", 0.75), Candidate("1", 0.2), Candidate("9", 0.05)), "digits", "1.0", 9)
COLUMNS = "name,label,confidence,top2,top2_probability,top3,top3_probability,error_type,error_message,notes,page,text"


@pytest.fixture
def scans(tmp_path) -> Path:
    """A folder with three drawings, one of them in a folder inside."""
    folder = tmp_path / "scans"
    (folder / "more").mkdir(parents=True)
    for source, name in zip(drawings(), ["b.png", "a.PNG", "more/c.png"], strict=False):
        shutil.copy(source, folder / name)
    return folder


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def run(source: Path, out: Path, url: str, *options: str) -> int:
    return main(["batch", str(source), "--out", str(out), "--url", url, *options])


def rows(out: Path) -> list[dict[str, str]]:
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def names(path: Path) -> list[str]:
    with open_source(path) as source:
        return [entry.name for entry in source.entries]


def refusal(path: Path) -> str:
    """Why the only picture of a ZIP file cannot be sent."""
    with open_source(path) as source, pytest.raises(UnusablePicture) as caught:
        to_bytes(source.entries[0].picture)
    return caught.value.message


# The real server


@pytest.mark.server
def test_a_folder_becomes_a_table(stack, tmp_path):
    assert run(EXAMPLES, tmp_path / "results.csv", stack.inference_url) == 0
    table = rows(tmp_path / "results.csv")
    assert [row["name"] for row in table] == [path.name for path in drawings()]
    assert [row["label"] for row in table] == [path.stem[0] for path in drawings()]


@pytest.mark.server
def test_a_zip_file_becomes_a_list(stack, tmp_path):
    archive = zipped(tmp_path / "scans.zip", {path.name: path.read_bytes() for path in drawings()})
    assert run(archive, tmp_path / "results.json", stack.inference_url, "--top-k", "4") == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert [result["label"] for result in results] == [path.stem[0] for path in drawings()]
    assert {len(result["top"]) for result in results} == {4}


@pytest.mark.server
def test_a_picture_that_fails_is_listed_and_the_others_are_read(stack, scans, capsys):
    (scans / "broken.png").write_bytes(b"no picture")
    assert run(scans, scans / "results.csv", stack.inference_url) == 1
    assert [row["error_type"] for row in rows(scans / "results.csv")] == ["", "", "InvalidImage", ""]
    out = capsys.readouterr().out
    assert "digits 1.0 read 3 of 4 pictures" in out
    assert "  broken.png: InvalidImage: not a picture" in out


@pytest.mark.server
def test_a_model_that_is_not_served_is_one_line(stack, scans, capsys):
    assert run(scans, scans / "results.csv", stack.inference_url, "--model", "runes") == 1
    assert capsys.readouterr().err.count("\n") == 1


# The command


def test_the_command_runs_as_a_module(scans):
    with answering(sevens) as server:
        command = [sys.executable, "-m", "inkserve", "batch", str(scans), "--out", str(scans / "results.csv")]
        done = subprocess.run([*command, "--url", server.url], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "read 3 of 3 pictures" in done.stdout


def test_a_missing_server_is_one_line_and_leaves_no_file(scans, capsys):
    assert run(scans, scans / "results.csv", closed_port()) == 1
    error_lines = capsys.readouterr().err.splitlines()
    assert len(error_lines) == 1
    assert "the connection is refused" in error_lines[0]
    assert not list(scans.glob("results*"))


def test_the_recogniser_is_the_one_asked_for(scans):
    with answering(sevens) as server:
        run(scans, scans / "results.csv", server.url, "--model", "characters", "--version", "1.1", "--top-k", "5")
    assert set(server.paths) == {"/predictions/characters/1.1"}
    assert server.headers[-1]["X-Top-K"] == "5"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "missing"}, "no such folder or ZIP file"),
        ({"source": "scans/b.png"}, "neither a folder nor a ZIP file"),
        ({"source": "empty"}, "holds no picture"),
        ({"out": "results.txt"}, "ends in .csv or .json"),
        ({"out": "results"}, "ends in .csv or .json"),
        ({"out": "missing/results.csv"}, "a folder that exists"),
        ({"out": "folder.csv"}, "wanted a file"),
        ({"top-k": "0"}, "for '--top-k'"),
        ({"top-k": "x"}, "for '--top-k'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_command_line_ends_with_2(scans, tmp_path, capsys, change, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.csv").mkdir()
    options = {"source": "scans", "out": "results.csv", "top-k": "3"} | change
    arguments = ["batch", str(tmp_path / options["source"]), "--out", str(tmp_path / options["out"])]
    assert main([*arguments, "--top-k", options["top-k"]]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_help_shows_units_and_defaults(capsys):
    assert main(["batch", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(
        words in text for words in ["16 MiB", "default: digits", "default: 3", "INKSERVE_URL", "130 after Ctrl-C"]
    )


def test_a_server_that_goes_away_leaves_every_answer_in_the_table(scans, monkeypatch):
    monkeypatch.setattr("inkserve.client.bulk.FIRST_PICTURES", 1)
    monkeypatch.setattr("inkserve.client.bulk.IN_FLIGHT", 1)

    def die_after_two(body: bytes):
        return sevens(body) if len(server.bodies) <= 2 else error(500)  # the probe and one picture

    with answering(die_after_two) as server:
        assert run(scans, scans / "results.csv", server.url) == 1
    assert [row["error_type"] for row in rows(scans / "results.csv")] == ["", "ServerDown", "ServerDown"]


def test_ctrl_c_keeps_what_is_answered_and_says_where(scans):
    for number in range(FIRST_PICTURES):
        shutil.copy(drawings()[0], scans / f"{number}.png")

    def hang_at_the_rest(body: bytes):  # whichever comes first, of the first request and the one for the rest
        return SILENCE if len(pictures_of(body)) == 11 - FIRST_PICTURES else sevens(body)

    with answering(hang_at_the_rest) as server:
        command = [sys.executable, "-m", "inkserve", "batch", str(scans), "--out", str(scans / "results.json")]
        batch = subprocess.Popen([*command, "--url", server.url], stderr=subprocess.PIPE, text=True)
        partial = scans / "results.json.partial"
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up and not (partial.exists() and partial.read_text().count('"name"') >= 8):
            time.sleep(0.02)
        time.sleep(1)  # it has counted the last one, too
        batch.send_signal(signal.SIGINT)
        time.sleep(1)  # the signal first: what hangs would otherwise be answered, and the batch done
        server.ended.set()
        _, told = batch.communicate(timeout=60)
    assert batch.returncode == 130
    assert f"stopped after 8 of 11 pictures; their results are in {partial}" in told
    assert "Traceback" not in told
    assert [result["name"] for result in json.loads(partial.read_text())] == [f"{number}.png" for number in range(8)]


# Sources


def test_a_folder_and_its_subfolders_are_read_in_name_order(scans):
    assert names(scans) == ["a.PNG", "b.png", "more/c.png"]


def test_a_zip_file_is_read_in_name_order(tmp_path):
    assert names(zipped(tmp_path / "scans.zip", {"b/1.png": b"", "a/": b"", "a/9.png": b""})) == ["a/9.png", "b/1.png"]


@pytest.mark.parametrize("hidden", ["__MACOSX/b.png", ".thumbnails/b.png", "._b.png", "a/__MACOSX/._b.png"])
def test_hidden_files_are_skipped(tmp_path, hidden):
    assert names(zipped(tmp_path / "scans.zip", {hidden: b"", "a.png": b""})) == ["a.png"]


def test_files_of_other_kinds_are_counted(scans):
    (scans / "notes.txt").write_text("no picture")
    with open_source(scans) as source:
        assert (len(source.entries), source.excluded) == (3, [("notes.txt", "a list or text")])


def test_a_member_equals_the_packed_picture(tmp_path, seven):
    with open_source(zipped(tmp_path / "scans.zip", {"7.png": seven})) as source:
        assert to_bytes(source.entries[0].picture) == seven


def test_nothing_of_a_zip_file_reaches_the_disk(tmp_path, seven):
    (tmp_path / "in").mkdir()
    archive = zipped(tmp_path / "in/scans.zip", {"../7.png": seven})
    with answering(sevens) as server:
        assert run(archive, tmp_path / "results.csv", server.url) == 0
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "results.csv", "scans.zip"]


def test_a_member_over_the_byte_limit_is_not_unpacked(tmp_path, monkeypatch):
    bomb = zipped(tmp_path / "bomb.zip", {"bomb.png": bytes(MAX_BYTES + 1)})
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was unpacked"))
    assert "at most 16,777,216" in refusal(bomb)


def test_a_member_with_a_false_size_is_unpacked_up_to_the_limit_only(tmp_path, monkeypatch):
    size = 8 * MAX_BYTES + 1234567  # bytes that no other field of the file has
    bomb = zipped(tmp_path / "bomb.zip", {"bomb.png": bytes(size)})
    bomb.write_bytes(bomb.read_bytes().replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little")))
    unpacked = []

    class Counting:
        def __init__(self):
            self.inner = zlib.decompressobj(-15)

        def decompress(self, *limits):
            unpacked.append(self.inner.decompress(*limits))
            return unpacked[-1]

        def __getattr__(self, name):
            return getattr(self.inner, name)

    monkeypatch.setattr(zipfile, "_get_decompressor", lambda _: Counting())
    assert "Bad CRC" in refusal(bomb)
    assert 0 < sum(map(len, unpacked)) <= MAX_BYTES + 1


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_method_without_a_limit_is_refused(tmp_path, seven, method):
    assert f"packing method is {method}" in refusal(zipped(tmp_path / "scans.zip", {"7.png": seven}, method))


def test_a_damaged_member_is_named(tmp_path, seven):
    archive = zipped(tmp_path / "scans.zip", {"7.png": seven}, zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(seven[-20:], bytes(20)))
    assert refusal(archive) == "7.png cannot be read: Bad CRC-32 for file '7.png'"


def test_an_encrypted_member_is_named(tmp_path, seven):
    archive = zipped(tmp_path / "scans.zip", {"7.png": seven})
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1  # the flag that says so
    archive.write_bytes(content)
    assert "encrypted" in refusal(archive)


def test_a_truncated_zip_file_is_refused(tmp_path, seven):
    archive = zipped(tmp_path / "scans.zip", {"7.png": seven})
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(SourceError, match="neither a folder nor a ZIP file"), open_source(archive):
        pass


# Results


def test_a_table_has_the_columns_as_documented(tmp_path):
    with open_results(tmp_path / "results.csv") as write:
        write("7.png", PREDICTED)
        write("b,l\na nk.png", Rejected("InvalidImage", 'it is "blank"'))
    assert (tmp_path / "results.csv").read_bytes().decode() == (
        f"{COLUMNS}\r\n"
        "7.png,7,0.75,1,0.2,9,0.05,,,,,\r\n"
        '"b,l\na nk.png",,,,,,,InvalidImage,"it is ""blank""",,,\r\n'
    )  # fmt: skip


def test_a_table_has_room_for_fewer_labels(tmp_path):
    with open_results(tmp_path / "results.csv") as write:
        write("7.png", Prediction("7", 0.9, (Candidate("7", 0.9),), "digits", "1.0", 9))
    assert rows(tmp_path / "results.csv")[0]["top2"] == ""


def test_notes_are_in_both_files(tmp_path):
    noted = replace(PREDICTED, notes=("2 characters", "=1+1"))
    for name in ("results.csv", "results.json"):
        with open_results(tmp_path / name) as write:
            write("27.png", noted)
            write("1.png", replace(PREDICTED, notes=("=1+1",)))
    assert [row["notes"] for row in rows(tmp_path / "results.csv")] == ["2 characters; =1+1", "'=1+1"]
    assert [each["notes"] for each in json.loads((tmp_path / "results.json").read_text())] == [
        ["2 characters", "=1+1"],
        ["=1+1"],
    ]


@pytest.mark.parametrize("name", ["=1+1.png", "+1.png", "-1.png", "@x.png", "\t=1.png", "\r=1.png"])
def test_names_are_never_formulas_and_stay_paths(tmp_path, name):
    with open_results(tmp_path / "results.csv") as write:
        write(name, PREDICTED)
    assert rows(tmp_path / "results.csv")[0]["name"] == f"./{name}"


def test_a_list_has_every_label_or_the_error(tmp_path):
    with open_results(tmp_path / "results.json") as write:
        write("=7.png", PREDICTED)
        write("blank.png", Rejected("InvalidImage", "it is blank"))
    top = [{"label": "7", "probability": 0.75}, {"label": "1", "probability": 0.2}, {"label": "9", "probability": 0.05}]
    assert json.loads((tmp_path / "results.json").read_text()) == [
        {"name": "=7.png", "label": "7", "confidence": 0.75, "top": top, "model": "digits", "version": "1.0"},
        {"name": "blank.png", "error": {"type": "InvalidImage", "message": "it is blank"}},
    ]


def test_a_name_that_is_not_utf8_is_written(tmp_path):
    name = os.fsdecode(b"\xff.png")
    for out in (tmp_path / "results.csv", tmp_path / "results.json"):
        with open_results(out) as write:
            write(name, PREDICTED)
    assert rows(tmp_path / "results.csv")[0]["name"] == "\\udcff.png"
    assert json.loads((tmp_path / "results.json").read_text())[0]["name"] == name


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_result_is_on_the_disk_as_soon_as_it_is_written(tmp_path, suffix):
    out = tmp_path / f"results{suffix}"
    with open_results(out) as write:
        write("7.png", PREDICTED)
        assert "7.png" in partial_of(out).read_text()


def test_incomplete_results_do_not_replace_older_ones(tmp_path):
    out = tmp_path / "results.json"
    out.write_text("older")
    with pytest.raises(KeyboardInterrupt), open_results(out) as write:
        write("7.png", PREDICTED)
        raise KeyboardInterrupt
    assert out.read_text() == "older"
    assert len(json.loads(partial_of(out).read_text())) == 1


def test_complete_results_leave_no_partial_file(tmp_path):
    with open_results(tmp_path / "results.json"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    assert json.loads((tmp_path / "results.json").read_text()) == []


# Summary


def test_the_summary_counts_labels_and_averages_the_confidence():
    summary = Summary()
    for label, confidence in [("7", 0.9), ("1", 0.6), ("7", 0.6)]:
        summary.add("x.png", Prediction(label, confidence, (), "digits", "1.0", 9))
    assert summary.lines() == [
        "digits 1.0 read 3 of 3 pictures", "", "label  pictures", "1             1", "7             2", "",
        "mean confidence 0.7000 (n = 3)",
    ]  # fmt: skip


def test_the_summary_lists_twenty_failures_and_how_many_more():
    summary = Summary()
    for i in range(25):
        summary.add(f"{i}.png", Rejected("InvalidImage", "blank"))
    lines = summary.lines()
    assert lines[0] == "read 0 of 25 pictures"
    assert lines[2:4] == ["25 failed:", "  0.png: InvalidImage: blank"]
    assert lines[-2:] == ["  19.png: InvalidImage: blank", "  and 5 more"]


def test_control_characters_in_names_are_escaped():
    assert printable("\x1b[2J\udcff\né.png") == "\\x1b[2J\\udcff\\né.png"


def test_the_progress_bar_stays_out_of_the_results(scans, capsys, monkeypatch):
    screen = io.StringIO()
    screen.isatty = lambda: True
    with answering(sevens) as server:
        monkeypatch.setattr(sys, "stderr", screen)
        run(scans, scans / "results.csv", server.url)
    assert "3/3" in screen.getvalue()
    assert "3/3" not in capsys.readouterr().out
