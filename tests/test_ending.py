"""A server that ends in order: not ready at once, serving for the delay, and then gone without a lost request."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from deploy.local import torchserve
from deploy.local.settings import ROOT, Settings, free_ports, read_settings
from inkserve.readiness import read_readiness
from measuring.common.altered_archives import WAITING, alter_archive
from measuring.reliability.faults.background_load import BackgroundLoad, without_retries
from tests.conftest import environment, port_variables, run_stack

DIGITS = ROOT / "model_store" / "digits-1.0.mar"
DELAY_S = 4
PATIENCE_S = 120
BALANCER = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option httpchk GET /ready
  default-server check inter 200ms fall 1 rise 1
listen servers
  bind 127.0.0.1:{port}
  balance roundrobin
  server first 127.0.0.1:{first}
  server second 127.0.0.1:{second}
"""


@contextmanager
def running_java(settings: Settings) -> Iterator[subprocess.Popen]:
    """TorchServe as a child of this process, as in a container: its exit code is known."""
    started = torchserve.start(settings)
    command, variables, folder = started.cmdline(), started.environ(), started.cwd()
    started.kill()
    psutil.wait_procs([started], timeout=PATIENCE_S)
    with subprocess.Popen(
        command, env=variables, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as java:
        try:
            wait_for(lambda: read_readiness(settings.url("INFERENCE_PORT")).is_ready)
            yield java
        finally:
            java.kill()
            shutil.rmtree(settings.temp_dir, ignore_errors=True)


def wait_for(is_so) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def settings_of(folder: Path, store: Path) -> Settings:
    return read_settings(port_variables() | {"RUN_DIR": str(folder), "MODEL_STORE": str(store)})


@pytest.fixture
def store(tmp_path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    alter_archive(DIGITS, folder, "digits", "1.0", WAITING, minWorkers=1, maxWorkers=1, batchSize=1)
    return folder


@pytest.mark.server
def test_a_server_that_ends_is_not_ready_and_serves_until_the_delay_is_over(store, tmp_path, monkeypatch, seven):
    monkeypatch.setenv("DRAIN_DELAY_S", str(DELAY_S))
    settings = settings_of(tmp_path / "run", store)
    url = f"{settings.url('INFERENCE_PORT')}/predictions/digits"
    with running_java(settings) as java:
        java.terminate()
        wait_for(lambda: not read_readiness(settings.url("INFERENCE_PORT")).is_ready)
        assert read_readiness(settings.url("INFERENCE_PORT")).reason == "the server is ending"
        answer = requests.post(url, data=seven, timeout=60)
        assert (answer.json()["label"], answer.headers["connection"]) == ("7", "close")
        slow = BackgroundLoad(without_retries(url, **{"X-Wait-S": str(DELAY_S + 1)}), threads=1)
        with slow:
            time.sleep(0.5)  # it is on its way
        assert slow.outcomes()["ok"] == 1  # read before the end of the delay, and answered after it
        assert java.wait(PATIENCE_S) == 0
    assert "no answer" in without_retries(url)()


@pytest.mark.server
@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed: apt-get install haproxy")
def test_behind_a_balancer_a_server_that_ends_under_load_loses_nothing(store, tmp_path, monkeypatch):
    monkeypatch.setenv("DRAIN_DELAY_S", "2")
    first, second = (settings_of(tmp_path / name, store) for name in ("first", "second"))
    [port] = free_ports(1)
    config = tmp_path / "haproxy.cfg"
    ports = {name: each.ports["INFERENCE_PORT"] for name, each in (("first", first), ("second", second))}
    config.write_text(BALANCER.format(port=port, **ports))
    with ExitStack() as running:
        ending, _ = (running.enter_context(running_java(each)) for each in (first, second))
        balancer = running.enter_context(subprocess.Popen(["haproxy", "-q", "-f", config], cwd=tmp_path))
        running.callback(balancer.kill)
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: read_readiness(url).is_ready)
        with BackgroundLoad(without_retries(f"{url}/predictions/digits")) as load:
            load.wait_for_answers(50)
            ending.terminate()
            assert ending.wait(PATIENCE_S) == 0
            load.wait_for_answers(50)
    assert not load.failed(), str(load)


def test_a_delay_that_is_no_number_is_an_error_of_the_start(store, tmp_path):
    variables = port_variables() | {"RUN_DIR": str(tmp_path / "run"), "MODEL_STORE": str(store)}
    done = run_stack("up", environment(**variables, DRAIN_DELAY_S="soon"))
    assert done.returncode == 1
    assert "DRAIN_DELAY_S is 'soon'; wanted a whole number from 0 to 3600" in done.stderr
