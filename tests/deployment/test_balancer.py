"""The recommended HAProxy in front of stub servers: what it lets through, and that a node which ends loses nothing."""

import http.client
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from deploy.local.settings import ROOT, free_ports
from measuring.reliability.faults.background_load import BackgroundLoad
from tests.conftest import environment
from tests.deployment.balancer import CONFIG, balancing, certificate, variables

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="haproxy is not installed: apt-get install haproxy"
)
PATIENCE_S = 60


class Stubs:
    def __init__(self):
        self.ports = free_ports(3)
        self.processes = [self.start(port) for port in self.ports]

    @property
    def nodes(self) -> list[str]:
        return [f"127.0.0.1:{port}" for port in self.ports]

    def start(self, port: int) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, Path(__file__).with_name("stub_node.py"), str(port)])

    def restart(self, i: int) -> None:
        self.processes[i] = self.start(self.ports[i])

    def close(self) -> None:
        for each in self.processes:
            each.kill()
            each.wait()


@pytest.fixture
def stubs():
    running = Stubs()
    yield running
    running.close()


@pytest.fixture
def balancer(stubs, tmp_path):
    with balancing(tmp_path, stubs.nodes) as running:
        wait_healthy(running, 3)
        yield running


def wait_healthy(balancer, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if balancer.healthy() == count:
                return
        except requests.ConnectionError:
            assert balancer.process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_configuration_is_valid_without_a_warning(tmp_path):
    certificate(tmp_path)
    settings = environment(**variables(tmp_path, ["127.0.0.1:1"], [1, 2, 3], 300))
    done = subprocess.run(
        ["haproxy", "-c", "-dW", "-f", CONFIG], env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_only_predictions_and_ready_are_let_through(balancer):
    statuses = {path: balancer.get(path).status_code for path in ("/ready", "/models", "/", "/metrics", "/predictions")}
    assert statuses == {"/ready": 200, "/models": 404, "/": 404, "/metrics": 404, "/predictions": 404}


def test_without_tls_it_only_redirects(balancer):
    answer = requests.get(f"{balancer.plain}/ready", allow_redirects=False, timeout=20)
    assert (answer.status_code, answer.headers["location"].split(":")[0]) == (308, "https")


def test_a_body_that_no_server_takes_is_refused_before_it_is_sent(balancer):
    trusting = ssl.create_default_context(cafile=balancer.certificate)
    connection = http.client.HTTPSConnection(balancer.url.removeprefix("https://"), context=trusting, timeout=30)
    connection.putrequest("POST", "/predictions/digits")
    connection.putheader("Content-Length", str(16_842_752 + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_client_without_measure_is_slowed(stubs, tmp_path):
    with balancing(tmp_path, stubs.nodes, rate=20) as balancer:
        wait_healthy(balancer, 3)
        statuses = [balancer.get("/ready").status_code for _ in range(30)]
    assert statuses[:15] == [200] * 15
    assert statuses[-1] == 429


def test_nodes_that_end_in_turn_under_load_lose_nothing(balancer, stubs, seven):
    with BackgroundLoad(balancer.ask(seven)) as load:
        for i in range(3):
            assert load.wait_for_answers(50)
            stubs.processes[i].terminate()
            assert stubs.processes[i].wait(PATIENCE_S) == 0
            stubs.restart(i)
            wait_healthy(balancer, 3)
        assert load.wait_for_answers(50)
    assert not load.failed(), str(load)


def test_a_killed_node_loses_nothing_that_may_be_sent_again(balancer, stubs, seven):
    with BackgroundLoad(balancer.ask(seven)) as load:
        assert load.wait_for_answers(50)
        stubs.processes[0].kill()
        assert load.wait_for_answers(200)
    assert not load.failed(), str(load)


def test_the_configuration_names_the_servers_own_limit():
    properties = (ROOT / "config.properties").read_text()
    [limit] = [line.partition("=")[2] for line in properties.splitlines() if line.startswith("max_request_size=")]
    assert f"gt {limit} }}" in CONFIG.read_text()
