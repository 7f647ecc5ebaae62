"""The dashboard as a background process."""

import os
import sys

import psutil
import requests

from deploy.defaults import FILE
from deploy.local import process
from deploy.local.settings import HOST, NO_PROXY, ROOT, Settings

PORTS = {"DASHBOARD_PORT"}
READY_TIMEOUT_S = 60
LOG = "dashboard.log"


def start(settings: Settings) -> psutil.Process:
    """Start Streamlit in the background, pointed at the stack's TorchServe."""
    command = [sys.executable, "-m", "streamlit", "run", ROOT / "dashboard" / "app.py"]
    command += ["--server.address", HOST, "--server.port", str(settings.ports["DASHBOARD_PORT"])]
    environment = os.environ | {
        "INKSERVE_URL": settings.url("INFERENCE_PORT"),
        "INKSERVE_MANAGEMENT_URL": settings.url("MANAGEMENT_PORT"),
        "INKSERVE_METRICS_URL": f"{settings.url('METRICS_PORT')}/metrics",
        "INKSERVE_MODEL_STORE": str(settings.model_store),
        "INKSERVE_DEFAULTS": str(settings.run_dir / FILE),
        "INKSERVE_TAUGHT": str(settings.run_dir / "taught"),
        "DATABASE_URL": os.environ.get("DATABASE_URL") or f"sqlite:///{settings.run_dir / 'drawings.db'}",
    }
    return process.start(command, environment, settings.logs / LOG, cwd=ROOT)


def wait_until_ready(settings: Settings, running: psutil.Process) -> None:
    """Wait until Streamlit answers.

    Raises:
        StackError: it ended, or did not answer for READY_TIMEOUT_S.
    """
    process.wait_until(lambda: is_ready(settings), running, READY_TIMEOUT_S, [settings.logs / LOG])


def is_ready(settings: Settings) -> bool:
    """Tell whether the dashboard answers."""
    try:
        return requests.get(f"{settings.url('DASHBOARD_PORT')}/_stcore/health", timeout=2, proxies=NO_PROXY).ok
    except requests.RequestException:
        return False
