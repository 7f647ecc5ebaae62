"""The metrics page as a background process."""

import os
import sys

import psutil
import requests

from deploy.local import process
from deploy.local.settings import HOST, NO_PROXY, ROOT, Settings

PORTS = {"METRICS_PORT"}
READY_TIMEOUT_S = 30
LOG = "metrics-page.log"


def start(settings: Settings) -> psutil.Process:
    """Start the exporter in the background."""
    settings.metrics.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "deploy.exporter",
        "--address",
        HOST,
        "--port",
        str(settings.ports["METRICS_PORT"]),
    ]
    command += ["--torchserve", f"{settings.url('TORCHSERVE_METRICS_PORT')}/metrics"]
    command += ["--management", settings.url("MANAGEMENT_PORT")]
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(settings.metrics)}
    return process.start(command, environment, settings.logs / LOG, cwd=ROOT)


def wait_until_ready(settings: Settings, running: psutil.Process) -> None:
    """Wait until the page shows TorchServe's metrics.

    Raises:
        StackError: the exporter ended, or did not answer for READY_TIMEOUT_S.
    """
    process.wait_until(lambda: is_ready(settings), running, READY_TIMEOUT_S, [settings.logs / LOG])


def is_ready(settings: Settings) -> bool:
    """Tell whether the page answers with TorchServe's metrics on it."""
    try:
        page = requests.get(f"{settings.url('METRICS_PORT')}/metrics", timeout=10, proxies=NO_PROXY)
    except requests.RequestException:
        return False
    return page.ok and "\ntorchserve_up 1.0" in page.text
