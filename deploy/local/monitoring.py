"""Prometheus as a background process, with our rules and the stack's metrics page as its target."""

import json
import os
import shutil
import signal
from pathlib import Path

import psutil

from deploy.local import process
from deploy.local.errors import StackError
from deploy.local.settings import HOST, ROOT, Settings

PORTS = {"PROMETHEUS_PORT"}
RECORDED = PORTS
READY_TIMEOUT_S = 60  # it reads back what it remembers first
LOGS = ("prometheus.log",)
KEPT = "15d"
BINARY = "prometheus"
SOURCE = ROOT / "deploy" / "prometheus"
FILES = ("prometheus.yml", "recording.yml", "alerts.yml")


def start(settings: Settings) -> psutil.Process:
    """Start Prometheus in the background.

    Raises:
        StackError: it is not installed.
    """
    if shutil.which(BINARY) is None:
        raise StackError(f"{BINARY} is not installed: `make monitoring` as root, or `sudo apt-get install {BINARY}`")
    settings.prometheus_data.mkdir(parents=True, exist_ok=True)
    command = [BINARY, f"--config.file={configure(settings)}", f"--storage.tsdb.path={settings.prometheus_data}"]
    command += [f"--storage.tsdb.retention.time={KEPT}"]
    command += [f"--web.listen-address={HOST}:{settings.ports['PROMETHEUS_PORT']}"]
    return process.start(command, os.environ, settings.logs / LOGS[0], cwd=settings.run_dir)


def configure(settings: Settings) -> Path:
    """Write scrape config, rules and target into the run folder, and return the first of them."""
    folder = settings.run_dir / "prometheus"
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(SOURCE / name, folder / name)
    target = {"targets": [f"{HOST}:{settings.ports['METRICS_PORT']}"]}
    (folder / "targets.json").write_text(json.dumps([target]))
    return folder / FILES[0]


def reload(settings: Settings, running: psutil.Process) -> None:
    """Let a running Prometheus read its files again, written anew."""
    configure(settings)
    running.send_signal(signal.SIGHUP)


def is_ready(settings: Settings) -> bool:
    """Tell whether Prometheus answers queries."""
    return process.answer(settings.url("PROMETHEUS_PORT") + "/-/ready") is not None
