"""A load generator that can open no more connections says so, and ends."""

import resource
import subprocess
import sys
from argparse import Namespace

import pytest

from deploy.local.settings import ROOT
from loadtest import locust_run
from loadtest.load_shapes import OUT_OF_DESCRIPTORS
from loadtest.locust_run import LoadTestError, LocustExit
from tests.answering import SEVEN, answering

LIMIT = 60


@pytest.mark.parametrize("user", ["Client", "Steady", "Person"])
def test_a_test_without_descriptors_ends_with_a_code_of_its_own(user):
    with answering((200, SEVEN)) as server:
        command = [sys.executable, "-m", "locust", "-f", "loadtest/locustfile.py", "-H", server.url, user, "--headless"]
        command += ["--users", "300", "--spawn-rate", "300", "--run-time", "60s", "--only-summary"]
        command += ["--exit-code-on-error", "0"]
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT)),
        )
    assert done.returncode == OUT_OF_DESCRIPTORS, done.stderr


def test_the_reason_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(locust_run, "run", lambda *_: LocustExit(OUT_OF_DESCRIPTORS, False, 0.0))
    with pytest.raises(LoadTestError, match="could open no more connections, which says nothing of the server"):
        locust_run.measure(Namespace(shape="smoke"), "http://h", tmp_path / "smoke")
