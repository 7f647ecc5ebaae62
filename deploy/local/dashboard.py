"""The dashboard as a background process."""

import os
import sys
import time

import psutil
import requests

from deploy.local import process
from deploy.local.errors import StackError
from deploy.local.settings import HOST, NO_PROXY, ROOT, Settings

READY_TIMEOUT_S = 60
POLL_S = 0.2


def start(settings: Settings) -> psutil.Process:
    """Start Streamlit in the background, pointed at the stack's TorchServe."""
    command = [sys.executable, "-m", "streamlit", "run", ROOT / "dashboard" / "app.py"]
    command += ["--server.address", HOST, "--server.port", str(settings.ports["DASHBOARD_PORT"])]
    environment = os.environ | {"INKSERVE_URL": settings.url("INFERENCE_PORT")}
    return process.start(command, environment, settings.logs / "dashboard.log", cwd=ROOT)


def wait_until_ready(settings: Settings, running: psutil.Process) -> None:
    """Wait until Streamlit answers.

    Raises:
        StackError: it ended, or did not answer for READY_TIMEOUT_S.
    """
    log = settings.logs / "dashboard.log"
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if not running.is_running() or running.status() == psutil.STATUS_ZOMBIE:
            raise StackError(f"the dashboard ended while starting:\n{log.read_text('utf-8', 'replace')[-2000:]}")
        if is_ready(settings):
            return
        time.sleep(POLL_S)
    raise StackError(f"the dashboard does not answer after {READY_TIMEOUT_S} s; see {log}")


def is_ready(settings: Settings) -> bool:
    """Tell whether the dashboard answers."""
    try:
        return requests.get(f"{settings.url('DASHBOARD_PORT')}/_stcore/health", timeout=2, proxies=NO_PROXY).ok
    except requests.RequestException:
        return False
