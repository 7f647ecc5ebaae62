"""What the dashboard does with names that are markup, paths or formulas, and whom it lets in."""

import csv
import io
import re
import socket
import tempfile
import tomllib
import zipfile
from datetime import UTC
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import streamlit as st
from PIL import Image
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from dashboard.batch.batch_job import Job
from dashboard.batch.result_files import to_csv
from dashboard.batch.uploads import MAX_MIB
from dashboard.finetune import finetuned_html
from dashboard.finetune.finetuned import DrawingComparison, FineTuned
from dashboard.live import live_html
from dashboard.live.events import Event
from dashboard.live.load_generator import LoadPlan, LoadResult
from dashboard.shared import answer_html, picture_html
from dashboard.shared.endpoint import Endpoint
from dashboard.shared.recogniser_comparison import ComparedPicture
from deploy.local.settings import ROOT
from inkserve.batch.results import plain
from inkserve.batch.sources import Entry
from inkserve.client import Candidate, Character, PageReading, Prediction, Recogniser, Rejected
from inkserve.management import Management, ModelVersion, Worker
from tests.answering import SEVEN, answering, closed_port
from tests.test_batch_page import upload
from training.card import Metric

MARKUP = "<img src=x onerror=alert(1)>"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;"
OUTSIDE = "../../inkserve-outside"
PREDICTED = Prediction(MARKUP, 0.9, (Candidate(MARKUP, 0.9), Candidate("1", 0.1)), MARKUP, MARKUP, 1.0, notes=(MARKUP,))
PAGE = PageReading(MARKUP, (Character(MARKUP, 0.9, (0, 0, 1, 1)),), MARKUP, MARKUP, 1.0)
VERSION = ModelVersion(MARKUP, MARKUP, True, (Worker("9000", 11, True, 2**20),), 1)
FINETUNED = FineTuned(
    Endpoint(MARKUP, MARKUP),
    Endpoint(MARKUP, MARKUP),
    {MARKUP: 1},
    [Metric(MARKUP, 1, 1.0, accuracy_before=1.0)],
    True,
    Path("x"),
)
COMPARED = DrawingComparison(1, 0, 0, [(MARKUP, ComparedPicture(MARKUP, None, (PREDICTED, PREDICTED)))])
TIMEOUT_S = 60


def test_each_test_that_the_docs_name_is_there():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "security.md").read_text()))
    there = "".join(path.read_text() for path in (ROOT / "tests").glob("*.py"))
    assert len(named) > 20
    assert not [name for name in named if f"def {name}(" not in there]


# Markup


@pytest.mark.parametrize(
    "html",
    [
        answer_html.prediction(PREDICTED, "", 1.0, MARKUP),
        answer_html.page(PAGE, ""),
        answer_html.note(MARKUP),
        answer_html.refusal(MARKUP),
        picture_html.boxed(Image.new("L", (1, 1)), (1, 1), picture_html.character_boxes(PAGE.characters), MARKUP),
        live_html.workers_table([VERSION]),
        live_html.events_list([Event(0.0, MARKUP)], UTC),
        live_html.load_result(LoadPlan(MARKUP, 1, 1), LoadResult()),
        finetuned_html.report(FINETUNED, None),
        finetuned_html.working(MARKUP),
        finetuned_html.comparison(FINETUNED, COMPARED),
    ],
    ids=[
        "prediction",
        "page",
        "note",
        "refusal",
        "boxes",
        "workers",
        "events",
        "load",
        "fine-tuned",
        "working",
        "comparison",
    ],
)
def test_markup_in_labels_and_names_is_text(html):
    assert "<img src=x" not in html
    assert ESCAPED in html


@pytest.fixture
def app(monkeypatch):
    """Open a page in front of a server that has a recogniser whose name is markup."""

    def open_page(path: str, url: str) -> AppTest:
        monkeypatch.setenv("INKSERVE_URL", url)
        monkeypatch.setenv("INKSERVE_MANAGEMENT_URL", closed_port())
        monkeypatch.setattr(Management, "versions", lambda _: (VERSION, VERSION))
        monkeypatch.setattr(Management, "card", lambda *_: {"architecture": MARKUP, "metrics": []})
        st.cache_data.clear()
        return AppTest.from_file(ROOT / "dashboard/app.py", default_timeout=120).run().switch_page(path)

    return open_page


def html_of(page: AppTest) -> str:
    assert not page.exception
    assert not [each for each in page.markdown if each.proto.allow_html]
    return " ".join(element.proto.body for element in page.get("html") if "<style>" not in element.proto.body)


def test_markup_in_a_recognisers_name_and_card_is_text_on_models(app, monkeypatch):
    other = ModelVersion("digits", "1.0", True, VERSION.workers, 1)
    page = app("models/page.py", closed_port())
    monkeypatch.setattr(Management, "versions", lambda _: (VERSION, other))
    text = html_of(page.run())
    assert "<img src=x" not in text
    assert f"{ESCAPED} {ESCAPED}" in text
    assert f"{ESCAPED}: 0 parameters" in text


def test_markup_in_a_recognisers_name_is_text_on_live(app):
    page = app("live/page.py", closed_port()).run()
    assert "<img src=x" not in html_of(page)


def picture(label: str = "7") -> bytes:
    return (ROOT / "examples" / "digits" / f"{label}-1.png").read_bytes()


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, picture())
    return buffer.getvalue()


def test_markup_in_the_names_of_uploads_is_text_and_nothing_is_written_under_them(app, monkeypatch, tmp_path):
    here, temporary = tmp_path / "a" / "here", tmp_path / "a" / "temporary"
    for folder in (here, temporary):
        folder.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    uploads = [(f"{OUTSIDE}-1.png", picture()), (f"{MARKUP}.png", b"no picture"), (f"{MARKUP}.zip", b"no ZIP")]
    uploads += [("many.zip", zipped(f"{OUTSIDE}-2.png", f"/{OUTSIDE}-3.png", f"{MARKUP}.png"))]
    with answering(lambda body: (200, {"predictions": [SEVEN] * body.count(b"PK\x01\x02")})) as server:
        page = upload(app("batch/page.py", server.url).run(), *uploads)
        text = html_of(page)
        [table] = page.get("data_editor")
    assert "5 of 5 pictures read" in text
    assert f"{ESCAPED}.zip is not a ZIP file" in text
    assert "<img src=x" not in text
    assert {f"{OUTSIDE}-1.png", f"{MARKUP}.png"} <= set(table.value["Name"])  # a table's cells are drawn, as text
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not Path("/inkserve-outside-3.png").exists()


@pytest.mark.browser
@pytest.mark.server
def test_in_a_browser_markup_in_names_runs_nothing_and_paths_lead_nowhere(chromium, stack):
    asked: list[str] = []
    page = chromium("batch", requests=asked)
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    files = {
        f"{MARKUP}.png": picture(),
        "b.png": b"no picture",
        f"{MARKUP}.zip": b"no ZIP",
        "many.zip": zipped(f"{OUTSIDE}.png", f"{MARKUP}.png"),
    }
    given = [{"name": name, "mimeType": "image/png", "buffer": content} for name, content in files.items()]
    page.locator("input[type=file]").set_input_files(given)
    expect(page.locator(".ink-batch").first).to_contain_text("3 of 4 pictures read")
    expect(page.locator(".ink-left-out").first).to_contain_text(f"{MARKUP}.zip is not a ZIP file")
    expect(page.locator("canvas table td").first).to_be_attached()
    assert page.locator("img[src=x]").count() == 0
    assert said == []
    assert not [url for url in asked if urlsplit(url).path.endswith("/x")]
    folders = (stack.settings.run_dir, stack.settings.run_dir.parent, ROOT.parent, Path("/"))
    assert not [path for folder in folders for path in folder.glob("*inkserve-outside*")]
    dashboard = stack.stack.running()["dashboard"]
    assert not [each.path for each in dashboard.open_files() if "outside" in each.path or "alert(" in each.path]
    assert not [path for path in stack.settings.run_dir.rglob("*") if "outside" in path.name or "alert(" in path.name]


# Formulas


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_of_a_table_is_a_formula(text):
    entries = [Entry(text, b""), Entry("b.png", b"")]
    predicted = Prediction(text, 0.9, (Candidate(text, 0.9), Candidate(text, 0.1)), text, text, 1.0)
    with Recogniser("digits", closed_port()) as recogniser:
        job = Job(entries, recogniser, [predicted, Rejected(text, text)])
    job.results = [predicted, Rejected(text, text)]
    rows = list(csv.reader(io.StringIO(to_csv(job, [text, None]).decode(), newline="")))
    assert len(rows) == 3
    cells = [cell for row in rows[1:] for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {f"./{text}", f"'{text}"} <= set(cells)
    assert plain("7") == "7"


# Whom the dashboard lets in


def test_visitors_see_no_details_of_errors_and_upload_no_more_than_is_read():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert config["client"]["showErrorDetails"] == "none"
    assert config["server"]["maxUploadSize"] == MAX_MIB
    assert config["server"]["address"] == "127.0.0.1"


@pytest.mark.server
def test_an_upload_without_the_pages_own_token_is_refused(stack):
    answer = requests.put(
        f"{stack.dashboard_url}/_stcore/upload_file/session/file", files={"a": picture()}, timeout=TIMEOUT_S
    )
    assert answer.status_code == 403


@pytest.mark.server
def test_another_sites_page_may_not_read_what_the_dashboard_says(stack):
    other = {"Origin": "http://evil.example"}
    answer = requests.get(f"{stack.dashboard_url}/_stcore/health", headers=other, timeout=TIMEOUT_S)
    assert answer.ok
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.server
@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://{}", "{}", 101),
        ("http://evil.example", "{}", 403),  # another site's page
        ("http://evil.example", "evil.example", 403),  # one whose name has been made to mean this machine
    ],
)
def test_only_its_own_pages_open_a_session(stack, origin, host, status):
    here = urlsplit(stack.dashboard_url)
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host.format(here.netloc)}",
        f"Origin: {origin.format(here.netloc)}",
    ]
    lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""]
    with socket.create_connection((here.hostname, here.port), TIMEOUT_S) as connection:
        connection.sendall("\r\n".join(lines).encode())
        assert int(connection.recv(12).split()[1]) == status
