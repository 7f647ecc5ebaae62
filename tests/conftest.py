"""The real server and dashboard on free ports, and the real data, for the tests that need them."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes of tests share the cores

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from deploy.local import torchserve
from deploy.local.settings import DEFAULT_PORTS, ROOT, Settings, free_ports, read_settings
from deploy.local.stack import Stack
from handwriting.sandbox import parent
from tests.browsing import OPENED, back_afterwards, browser, chromium, pages, shown  # noqa: F401 - fixtures
from tests.postgres import postgres  # noqa: F401 - a fixture
from tests.small_data import (  # noqa: F401 - fixtures
    emnist_test,
    emnist_train,
    mnist_test,
    mnist_train,
    official_data,
    small_data,
)
from tests.stores import file_store, store, url  # noqa: F401 - fixtures

# Started in the background of a shell script, Python ignores interrupts, and so would all that the tests start
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files whose tests wait for a browser or a server first, so that no process is left with one at the end."""
    waiting = {item.path for item in items if item.get_closest_marker("browser")}
    serving = {item.path for item in items if item.get_closest_marker("server")}
    items.sort(key=lambda item: 0 if item.path in waiting else 1 if item.path in serving else 2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failed test what its pages show."""
    report = yield
    if report.failed:
        report.sections += [("Page", shown(page)) for page in item.stash.get(OPENED, [])]
    return report


@pytest.fixture(autouse=True)
def own_main_module() -> Iterator[None]:
    """Undo what Streamlit's AppTest leaves behind: the dashboard as `__main__`, which a spawned process would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(autouse=True, scope="session")
def patience() -> None:
    """Give decoders in processes of their own more time where tests keep the machine busy; a server's keep theirs."""
    parent.WALL_S = 120.0


class RunningStack:
    """A started stack, and what a test may do to it."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.stack = Stack(settings)
        self.inference_url = settings.url("INFERENCE_PORT")
        self.management_url = settings.url("MANAGEMENT_PORT")
        self.metrics_url = settings.url("METRICS_PORT")
        self.dashboard_url = settings.url("DASHBOARD_PORT")
        self.predictions_url = f"{self.inference_url}/predictions/digits"

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        page = requests.get(f"{self.metrics_url}/metrics", timeout=20).text
        samples = [each for family in text_string_to_metric_families(page) for each in family.samples]
        return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())

    def stop_server(self):
        self.stack.stop("torchserve")

    def start_server(self):
        """Start TorchServe again, and return when it has read a picture."""
        self.stack.start("torchserve")


def port_variables() -> dict[str, str]:
    return dict(zip(DEFAULT_PORTS, map(str, free_ports(len(DEFAULT_PORTS))), strict=True))


@pytest.fixture(scope="session")
def stack(tmp_path_factory) -> Iterator[RunningStack]:
    settings = read_settings(port_variables() | {"RUN_DIR": str(tmp_path_factory.mktemp("stack"))})
    running = RunningStack(settings)
    try:
        running.stack.up()
        yield running
    finally:
        running.stack.down()


@pytest.fixture
def seven() -> bytes:
    return torchserve.EXAMPLE.read_bytes()


def drawings() -> list[Path]:
    """Our own drawings, whose names begin with their label."""
    return sorted((ROOT / "examples" / "digits").glob("*.png"))


def environment(**changes: str) -> dict[str, str]:
    return os.environ | changes


def run_stack(command: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess:
    """What `python -m deploy.local <command>` prints, and its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", command],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
