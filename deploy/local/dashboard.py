"""The dashboard as a background process."""

import os
import sys

import psutil

from deploy.default_versions import FILE
from deploy.local import process
from deploy.local.settings import HOST, ROOT, Settings

PORTS = {"DASHBOARD_PORT"}
RECORDED = PORTS
READY_TIMEOUT_S = 60
LOGS = ("dashboard.log",)


def start(settings: Settings) -> psutil.Process:
    """Start Streamlit in the background, pointed at the stack's TorchServe."""
    command = [sys.executable, "-m", "streamlit", "run", ROOT / "dashboard" / "app.py"]
    command += ["--server.address", HOST, "--server.port", str(settings.ports["DASHBOARD_PORT"])]
    environment = os.environ | {
        "INKSERVE_URL": settings.url("INFERENCE_PORT"),
        "INKSERVE_MANAGEMENT_URL": settings.url("MANAGEMENT_PORT"),
        "INKSERVE_KEY_FILE": str(settings.key_file),
        "INKSERVE_METRICS_URL": f"{settings.url('METRICS_PORT')}/metrics",
        "INKSERVE_MODEL_STORE": str(settings.model_store),
        "INKSERVE_DEFAULTS": str(settings.run_dir / FILE),
        "INKSERVE_FINETUNED": str(settings.run_dir / "finetuned"),
        "DATABASE_URL": os.environ.get("DATABASE_URL") or f"sqlite:///{settings.run_dir / 'drawings.db'}",
    }
    return process.start(command, environment, settings.logs / LOGS[0], cwd=ROOT)


def is_ready(settings: Settings) -> bool:
    """Tell whether the dashboard answers."""
    return process.answer(settings.url("DASHBOARD_PORT") + "/_stcore/health") is not None
