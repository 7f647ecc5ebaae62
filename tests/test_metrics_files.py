"""The metrics page where workers die, and where connections are reset."""

import os
import re
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import requests
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from deploy.local.settings import ROOT, free_ports
from deploy.metrics_files import MetricsFiles, put_together
from tests.answering import answering, described
from tests.conftest import environment

WHOLE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
COUNT = """
import sys
from prometheus_client import Counter, Histogram
requests = Counter("requests", "", ["model"])
seconds = Histogram("seconds", "", ["model"], buckets=(0.1, 1.0))
for number in range(int(sys.argv[1])):
    requests.labels("digits").inc()
    seconds.labels("digits").observe(0.05 * number)
if len(sys.argv) > 2:
    print("counted", flush=True)
    sys.stdin.read()
"""


def count(folder: Path, times: int, stays: bool = False) -> subprocess.Popen:
    """A process that counts as a worker does, and then ends, or stays until its input is closed."""
    command = [sys.executable, "-c", COUNT, str(times), *["stay"] * stays]
    variables = environment(PROMETHEUS_MULTIPROC_DIR=str(folder))
    process = subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if stays:
        process.stdout.readline()
    else:
        process.communicate(timeout=60)
    return process


def sums(folder: Path) -> dict[tuple[str, str], float]:
    families = MultiProcessCollector(CollectorRegistry(), str(folder)).collect()
    samples = [sample for family in families for sample in family.samples]
    return {(each.name, each.labels.get("le", "")): each.value for each in samples}


@pytest.fixture
def aged(tmp_path):
    """Make all files older than a minute."""

    def make() -> None:
        for path in tmp_path.glob("*.db"):
            os.utime(path, (time.time() - 100,) * 2)

    return make


def test_the_files_of_dead_workers_become_one_and_no_counter_changes(tmp_path, aged):
    with count(tmp_path, 3, stays=True) as living:
        for deaths in (4, 3):
            for times in range(deaths):
                count(tmp_path, times + 1)
            aged()
            before = sums(tmp_path)
            put_together(tmp_path, {living.pid})
            after = sums(tmp_path)
            assert after == pytest.approx(before)
            assert all(after[series] >= value for series, value in before.items())  # or it would count as a restart
            names = sorted(path.name for path in tmp_path.iterdir())
            own = [f"counter_{living.pid}.db", f"histogram_{living.pid}.db"]
            assert names == sorted([*own, "counter_dead.db", "histogram_dead.db"])
        living.communicate(timeout=60)
    assert before["requests_total", ""] == 3 + (1 + 2 + 3 + 4) + (1 + 2 + 3)


def test_files_that_may_still_be_written_stay(tmp_path, aged):
    ended = count(tmp_path, 1)
    put_together(tmp_path, set())
    assert (tmp_path / f"counter_{ended.pid}.db").exists()  # written a moment ago
    aged()
    put_together(tmp_path, {ended.pid})
    assert (tmp_path / f"counter_{ended.pid}.db").exists()  # of a worker that this process cannot see
    MetricsFiles(tmp_path, lambda: None).collect()
    assert len(list(MetricsFiles(tmp_path, lambda: None).collect())) == 2
    assert (tmp_path / f"counter_{ended.pid}.db").exists()  # no workers are known
    list(MetricsFiles(tmp_path, set).collect())
    assert not (tmp_path / f"counter_{ended.pid}.db").exists()


@pytest.fixture
def page(tmp_path):
    """The metrics page as a process; yields its port and its log."""
    [port] = free_ports(1)
    with answering((200, {})) as server, (tmp_path / "log").open("wb") as log:
        server.models(digits=[described()])
        server.documents["/metrics"] = b""
        command = [sys.executable, "-m", "deploy.exporter", "--port", str(port), "--management", server.url]
        command += ["--torchserve", f"{server.url}/metrics", "--inference", server.url]
        variables = environment(PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log)
        try:
            give_up = time.monotonic() + 60
            while not any(each.laddr.port == port for each in psutil.Process(process.pid).net_connections()):
                assert time.monotonic() < give_up
                time.sleep(0.1)
            yield port, tmp_path / "log"
        finally:
            process.terminate()
            assert process.wait(60) == 0


@pytest.mark.parametrize(
    "sent", [b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /met"], ids=["nothing", "all", "half"]
)
def test_connections_that_are_reset_leave_the_page_quiet_and_quick(page, sent):
    port, log = page
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(sent)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60)
    assert re.search(r"^inkserve_ready 1\.0$", answer.text, re.MULTILINE)
    assert log.read_text() == ""


@pytest.mark.server
def test_connections_that_are_reset_leave_the_servers_log_quiet(stack):
    log = stack.settings.logs / "server.log"
    before = len(log.read_text().splitlines())
    for port in ("INFERENCE_PORT", "MANAGEMENT_PORT", "TORCHSERVE_METRICS_PORT"):
        for sent in (
            b"",
            b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST /predictions/digits HTTP/1.1\r\nContent-Le",
        ):
            for _ in range(10):
                with socket.create_connection(("127.0.0.1", stack.settings.ports[port]), timeout=20) as connection:
                    connection.sendall(sent)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert requests.get(f"{stack.inference_url}/ready", timeout=60).ok
    added = log.read_text().splitlines()[before:]
    assert not [line for line in added if "reset" in line.lower() or "Exception" in line], added
