"""What workers count, and the page that shows it."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from deploy.exporter import TorchServePage, make_registry
from deploy.local.settings import ROOT, free_ports

# Counts batches as a worker does, in a process of its own: the files are named after it
WORKER = """
import sys
import numpy as np
from handwriting.errors import InvalidImage
from handwriting.parsing import ParsedRequest
from handwriting.serving.worker_metrics import WorkerMetrics, Times
from handwriting.serving.batch import PreparedPicture, PreparedRequest

page = PreparedPicture(np.zeros((1, 28, 28), np.float32))
one = PreparedRequest(ParsedRequest([], None, False, 3), [page], False)
three = PreparedRequest(ParsedRequest([], None, True, 3), [page, InvalidImage("blank"), page], False)
measures = WorkerMetrics("digits", "1.0")
for _ in range(int(sys.argv[1])):
    measures.record([one, three, InvalidImage("blank")], Times(10.0, 10.0003, 10.0043, 10.2))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def count_batches(batches: int) -> None:
    subprocess.run([sys.executable, "-c", WORKER, str(batches)], check=True, timeout=120)


def samples(text: str) -> dict[tuple, float]:
    found = [each for family in text_string_to_metric_families(text) for each in family.samples]
    return {(each.name, *sorted(each.labels.values())): each.value for each in found}


@pytest.fixture
def torchserve_page():
    """A page as TorchServe writes it."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(
                b"# HELP ts_inference_requests_total Requests\n# TYPE ts_inference_requests_total counter\n"
            )
            self.wfile.write(b'ts_inference_requests_total{model_name="digits",model_version="default",} 7.0\n')

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


def start_exporter(url: str, port: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "deploy.exporter", "--torchserve", url, "--port", str(port)]
    return subprocess.Popen(command, cwd=ROOT)


def read_page(port: int) -> str:
    for _ in range(900):
        try:
            return requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
        except requests.ConnectionError:
            threading.Event().wait(0.1)
    raise AssertionError("the exporter does not answer")


def test_one_page_shows_the_sum_of_all_workers_beside_torchserves_own(folder, torchserve_page):
    count_batches(2)
    count_batches(3)
    [port] = free_ports(1)
    exporter = start_exporter(torchserve_page, port)
    try:
        found = samples(read_page(port))
    finally:
        exporter.terminate()
        assert exporter.wait(90) == 0
    assert found["torchserve_up",] == 1
    assert found["ts_inference_requests_total", "default", "digits"] == 7
    assert found["handwriting_requests_total", "1.0", "digits", "ok"] == 10
    assert found["handwriting_requests_total", "1.0", "InvalidImage", "digits"] == 5
    assert found["handwriting_batch_requests_sum", "1.0", "digits"] == 15
    assert found["handwriting_batch_pictures_sum", "1.0", "digits"] == 20
    assert found["handwriting_handler_seconds_sum", "1.0", "digits"] == pytest.approx(1.0)
    steps = {
        le: found["handwriting_preprocessing_seconds_bucket", *sorted(["1.0", "digits", le])]
        for le in ("0.00025", "0.0005")
    }
    assert steps == {"0.00025": 0, "0.0005": 5}
    steps = {
        le: found["handwriting_inference_seconds_bucket", *sorted(["1.0", "digits", le])] for le in ("0.0025", "0.005")
    }
    assert steps == {"0.0025": 0, "0.005": 5}


def test_without_torchserve_the_page_says_so_and_keeps_the_workers_counts(folder):
    count_batches(1)
    [port] = free_ports(1)
    families = list(make_registry(f"http://127.0.0.1:{port}/metrics").collect())
    assert {family.name: family.samples[0].value for family in families}["torchserve_up"] == 0
    assert "handwriting_batch_pictures" in {family.name for family in families}


def test_a_page_that_is_not_of_prometheus_counts_as_down(monkeypatch):
    page = TorchServePage("http://127.0.0.1:1/metrics")

    class Answer:
        text = "<html>{"

        def raise_for_status(self):
            pass

    monkeypatch.setattr(page.session, "get", lambda *_, **__: Answer())
    assert [family.samples[0].value for family in page.collect()] == [0]


def test_the_exporter_needs_the_workers_folder(tmp_path):
    command = [sys.executable, "-m", "deploy.exporter", "--torchserve", "http://127.0.0.1:1/metrics"]
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "missing")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr == "exporter: PROMETHEUS_MULTIPROC_DIR names no folder; wanted the one of the workers\n"
