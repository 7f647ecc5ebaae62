"""The metrics page as a background process."""

import os
import sys

import psutil

from deploy.local import process
from deploy.local.settings import HOST, ROOT, Settings

PORTS = {"METRICS_PORT"}
RECORDED = PORTS
READY_TIMEOUT_S = 30
LOGS = ("metrics-page.log",)


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
    environment = os.environ | {
        "PROMETHEUS_MULTIPROC_DIR": str(settings.metrics),
        "INKSERVE_KEY_FILE": str(settings.key_file),
    }
    return process.start(command, environment, settings.logs / LOGS[0], cwd=ROOT)


def is_ready(settings: Settings) -> bool:
    """Tell whether the page answers with TorchServe's metrics on it."""
    page = process.answer(f"{settings.url('METRICS_PORT')}/metrics", timeout_s=10)
    return page is not None and "\ntorchserve_up 1.0" in page
