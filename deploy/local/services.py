"""The services beside TorchServe: the metrics page, the dashboard, and Prometheus."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import psutil

from deploy.default_versions import FILE
from deploy.local import process
from deploy.local.process import Service
from deploy.local.settings import HOST, ROOT, Settings, StackError

PROMETHEUS_PROGRAM = "prometheus"
PROMETHEUS_KEEPS = "15d"
PROMETHEUS_SOURCE = ROOT / "deploy" / "prometheus"
PROMETHEUS_FILES = ("prometheus.yml", "recording.yml", "alerts.yml")


def start_metrics(settings: Settings) -> psutil.Process:
    """Start the metrics page in the background."""
    settings.metrics.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "deploy.exporter"]
    command += ["--address", settings.host("METRICS_PORT"), "--port", str(settings.ports["METRICS_PORT"])]
    command += ["--torchserve", f"{settings.url('TORCHSERVE_METRICS_PORT')}/metrics"]
    command += ["--management", settings.url("MANAGEMENT_PORT"), "--inference", settings.url("INFERENCE_PORT")]
    environment = os.environ | {
        "PROMETHEUS_MULTIPROC_DIR": str(settings.metrics),
        "INKSERVE_KEY_FILE": str(settings.key_file),
    }
    return process.start(command, environment, settings.logs / "metrics-page.log", cwd=ROOT)


def is_metrics_ready(settings: Settings) -> bool:
    """Tell whether the page answers and has TorchServe's metrics."""
    page = process.answer(f"{settings.url('METRICS_PORT')}/metrics", timeout_s=10)
    return page is not None and "\ntorchserve_up 1.0" in page


def start_dashboard(settings: Settings) -> psutil.Process:
    """Start Streamlit in the background, with the addresses and folders of the stack."""
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
    return process.start(command, environment, settings.logs / "dashboard.log", cwd=ROOT)


def is_dashboard_ready(settings: Settings) -> bool:
    """Tell whether the dashboard answers."""
    return process.answer(settings.url("DASHBOARD_PORT") + "/_stcore/health") is not None


def start_prometheus(settings: Settings) -> psutil.Process:
    """Start Prometheus in the background, with our rules and the stack's metrics page as its target.

    Raises:
        StackError: it is not installed.
    """
    if shutil.which(PROMETHEUS_PROGRAM) is None:
        raise StackError(
            f"{PROMETHEUS_PROGRAM} is not installed: `make monitoring` as root, or "
            f"`sudo apt-get install {PROMETHEUS_PROGRAM}`"
        )
    settings.prometheus_data.mkdir(parents=True, exist_ok=True)
    command = [PROMETHEUS_PROGRAM, f"--config.file={configure_prometheus(settings)}"]
    command += [f"--storage.tsdb.path={settings.prometheus_data}", f"--storage.tsdb.retention.time={PROMETHEUS_KEEPS}"]
    command += [f"--web.listen-address={HOST}:{settings.ports['PROMETHEUS_PORT']}"]
    return process.start(command, os.environ, settings.logs / "prometheus.log", cwd=settings.run_dir)


def configure_prometheus(settings: Settings) -> Path:
    """Write config, rules and target into the run folder, and return the path of the config."""
    folder = settings.run_dir / "prometheus"
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROMETHEUS_FILES:
        shutil.copyfile(PROMETHEUS_SOURCE / name, folder / name)
    target = {"targets": [f"{HOST}:{settings.ports['METRICS_PORT']}"]}
    (folder / "targets.json").write_text(json.dumps([target]))
    return folder / PROMETHEUS_FILES[0]


def reload_prometheus(settings: Settings, running: psutil.Process) -> None:
    """Write the files of a running Prometheus again, and let it read them."""
    configure_prometheus(settings)
    running.send_signal(signal.SIGHUP)


def is_prometheus_ready(settings: Settings) -> bool:
    """Tell whether Prometheus answers queries."""
    return process.answer(settings.url("PROMETHEUS_PORT") + "/-/ready") is not None


METRICS = Service(
    "metrics", frozenset({"METRICS_PORT"}), ("metrics-page.log",), start_metrics, is_metrics_ready, ready_timeout_s=30
)
DASHBOARD = Service(
    "dashboard",
    frozenset({"DASHBOARD_PORT"}),
    ("dashboard.log",),
    start_dashboard,
    is_dashboard_ready,
    ready_timeout_s=60,
)
# Prometheus reads its old data before it answers
PROMETHEUS = Service(
    "prometheus",
    frozenset({"PROMETHEUS_PORT"}),
    ("prometheus.log",),
    start_prometheus,
    is_prometheus_ready,
    ready_timeout_s=60,
)
