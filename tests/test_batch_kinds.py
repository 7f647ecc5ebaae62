"""Which files of a folder `inkserve batch` reads, and its results for pages, Excel and Parquet."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from deploy.local.settings import ROOT
from handwriting.preprocess.formats import READ_APART, READ_HERE
from inkserve import Document, PageReading, Prediction, Recogniser, Rejected, UnusablePicture
from inkserve.batch import kinds
from inkserve.batch.results import open_results
from inkserve.batch.sources import choose, open_source
from inkserve.cli import main
from inkserve.client.bulk import is_slow
from inkserve.client.pictures import MAX_BYTES, to_bytes
from tests.answering import answering, pictures_of, sevens
from tests.phone_pictures import blank, heic, of_pages, seven
from tests.pictures import encode, zipped
from tests.test_batch import PREDICTED

PAGE = PageReading("314 159\n26 535", (), "reader", "1.0", 9.0)


def files() -> dict[str, bytes]:
    """Files of a folder; the names of the pictures begin with p."""
    return {
        "p.jfif": encode(seven(), "JPEG"),
        "p.jpe": encode(seven(), "JPEG"),
        "p.HEIC": heic(seven()),
        "pscan0001": encode(seven(), "TIFF"),
        "p.dat": encode(seven(), "PDF"),
        "pbroken.png": b"no picture",
        "Thumbs.db": b"x",
        "labels.csv": b"p.jfif,7",
        ".hidden.png": encode(seven()),
        "notes": b"hello",
        "more.zip": zipped({"a.png": b""}),
        "über.txt": b"x",
    }


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, content in files().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("form", [*READ_HERE, *READ_APART])
def test_every_format_that_the_server_reads_is_told_by_its_first_bytes(form):
    content = heic(seven()) if form == "HEIF" else encode(seven(), form)
    assert kinds.is_picture(content[: kinds.START_BYTES])
    assert is_slow(content) == (form in {"HEIF", "AVIF", "JPEG2000", "PDF"})


def test_every_file_of_a_folder_is_a_picture_or_a_named_exclusion(folder):
    with open_source(folder) as source:
        assert [each.name for each in source.entries] == sorted(name for name in files() if name.startswith("p"))
        assert dict(source.excluded) == {
            "Thumbs.db": kinds.SYSTEM,
            "labels.csv": kinds.TEXT,
            ".hidden.png": kinds.HIDDEN,
            "notes": kinds.UNKNOWN,
            "more.zip": kinds.UNKNOWN,
            "über.txt": kinds.TEXT,
        }


def test_a_zip_file_is_looked_at_as_a_folder_is(folder):
    (folder.parent / "scans.zip").write_bytes(zipped(files()))
    with open_source(folder) as found, open_source(folder.parent / "scans.zip") as packed:
        assert [each.name for each in packed.entries] == [each.name for each in found.entries]
        assert packed.excluded == found.excluded


def test_a_file_that_cannot_be_looked_at_is_a_row_that_says_why(tmp_path):
    source = choose([("missing", tmp_path / "missing")])
    assert [each.name for each in source.entries] == ["missing"]


def test_the_summary_names_what_was_left_out_and_its_sums_agree(folder, capsys):
    with answering(sevens) as server:
        assert main(["batch", str(folder), "--out", str(folder.parent / "r.csv"), "--url", server.url]) == 0
    out = capsys.readouterr().out
    assert "read 6 of 6 pictures" in out
    assert "of 12 files, 6 were left out:" in out
    assert "  more.zip: no picture by its first bytes" in out


@pytest.mark.server
def test_a_folder_of_todays_files_is_read(stack, folder):
    out = folder.parent / "results.csv"
    assert main(["batch", str(folder), "--out", str(out), "--url", stack.inference_url]) == 1
    with out.open(newline="") as file:
        rows = {row["name"]: (row["label"], row["error_type"]) for row in csv.DictReader(file)}
    assert rows.pop("pbroken.png") == ("", "InvalidImage")
    assert set(rows.values()) == {("7", "")}
    assert len(rows) == 5


@pytest.mark.server
def test_every_page_of_a_document_is_a_row(stack, tmp_path, capsys):
    with Image.open(ROOT / "examples" / "pages" / "pi.png") as image:
        pages = [image.convert("L"), blank(), image.convert("L")]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "pi.pdf").write_bytes(of_pages("PDF", pages))
    (tmp_path / "in" / "pi.png").write_bytes(encode(pages[0]))
    options = ["--url", stack.inference_url, "--model", "reader"]
    assert main(["batch", str(tmp_path / "in"), "--out", str(tmp_path / "r.json"), *options]) == 1  # a page is blank
    rows = json.loads((tmp_path / "r.json").read_text())
    assert [(each["name"], each.get("page"), each.get("text")) for each in rows] == [
        ("pi.pdf", 1, "314 159\n26 535\n897 93"),
        ("pi.pdf", 2, None),
        ("pi.pdf", 3, "314 159\n26 535\n897 93"),
        ("pi.png", None, "314 159\n26 535\n897 93"),
    ]
    assert main(["read", str(tmp_path / "in" / "pi.pdf"), *options]) == 0
    assert "page 3" in capsys.readouterr().out


def test_pages_are_rows_of_a_table(tmp_path):
    document = Document((PAGE, Rejected("InvalidImage", "blank")))
    with open_results(tmp_path / "r.csv") as write:
        write("a.pdf", document)
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["page"], row["text"], row["error_type"]) for row in rows] == [
        ("a.pdf", "1", "314 159\n26 535", ""),
        ("a.pdf", "2", "", "InvalidImage"),
    ]


@pytest.mark.parametrize(("for_excel", "start"), [(True, b"\xef\xbb\xbfname"), (False, b"name")])
def test_a_table_for_excel_begins_with_a_byte_order_mark(tmp_path, for_excel, start):
    with open_results(tmp_path / "r.csv", for_excel) as write:
        write("über.png", PREDICTED)
    content = (tmp_path / "r.csv").read_bytes()
    assert content.startswith(start)
    assert "über.png" in content.decode("utf-8-sig")


def test_a_parquet_file_has_the_table_with_its_types(tmp_path):
    with open_results(tmp_path / "r.parquet") as write:
        write("über.png", PREDICTED)
        write("a.pdf", Document((PAGE, Rejected("InvalidImage", "blank"))))
    table = pq.read_table(tmp_path / "r.parquet")
    assert table["name"].to_pylist() == ["über.png", "a.pdf", "a.pdf"]
    assert table["confidence"].to_pylist() == [0.75, None, None]
    assert table["page"].to_pylist() == [None, 1, 2]
    assert table["error_type"].to_pylist() == [None, None, "InvalidImage"]


def test_a_parquet_file_of_a_batch_that_is_stopped_is_whole(tmp_path):
    with pytest.raises(KeyboardInterrupt), open_results(tmp_path / "r.parquet") as write:
        write("7.png", PREDICTED)
        raise KeyboardInterrupt
    assert pq.read_table(tmp_path / "r.parquet.partial")["label"].to_pylist() == ["7"]


def test_without_pyarrow_the_command_says_what_to_install(folder, monkeypatch, capsys):
    monkeypatch.setattr("inkserve.cli.find_spec", lambda _: None)
    assert main(["batch", str(folder), "--out", str(folder.parent / "r.parquet")]) == 1
    assert "pip install 'inkserve[parquet]'" in capsys.readouterr().err


class Uploaded(io.BytesIO):
    """As Streamlit's UploadedFile."""

    name = "7.png"


def test_open_files_are_pictures(tmp_path):
    content = encode(seven())
    (tmp_path / "7.png").write_bytes(content)
    with (tmp_path / "7.png").open("rb") as file:
        assert to_bytes(file) == to_bytes(file) == content
    written = io.BytesIO()
    seven().save(written, "PNG")  # its position is at the end
    assert to_bytes(written) == content
    assert written.tell() == len(content)
    assert to_bytes(Uploaded(content)) == content


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    path = tmp_path / "7.png"
    path.write_bytes(b"x")
    with path.open("rb") as closed:
        pass
    with path.open() as text, pytest.raises(UnusablePicture, match=r"7.png is open for text; wanted a file opened"):
        to_bytes(text)
    with pytest.raises(UnusablePicture, match="closed file"):
        to_bytes(closed)
    with pytest.raises(UnusablePicture, match="at most 16,777,216"):
        to_bytes(io.BytesIO(bytes(MAX_BYTES + 1)))


@pytest.mark.server
def test_pages_of_a_document_come_one_by_one(stack):
    with Image.open(ROOT / "examples" / "pages" / "pi.png") as image:
        document = of_pages("TIFF", [image.convert("L")] * 2)
    with Recogniser("reader", stack.inference_url) as reader:
        assert [page.text for page in reader.read_pages(document)] == ["314 159\n26 535\n897 93"] * 2
        with pytest.raises(Rejected, match="read_pages returns them all"):
            reader.read_page(document)
        [result] = reader.predict_many([document])
        assert isinstance(result, Document)
    with Recogniser("digits", stack.inference_url) as digits:
        [page] = digits.read_pages(of_pages("PDF", [blank(), seven()]))
        assert isinstance(page, Prediction)
        assert "page 2 of 2" in page.notes[0]


def test_files_that_take_long_go_in_small_requests():
    with answering(sevens) as server, Recogniser("digits", server.url) as digits:
        assert len(list(digits.predict_many([heic(seven())] * 9))) == 9
    assert sorted(len(pictures_of(body)) for body in server.bodies) == [1, 4, 4]
