"""`python -m deploy.space.start`: TorchServe on loopback and the dashboard on DASHBOARD_PORT, until one of them ends.

SPACE_HOST, which Hugging Face sets, is the name under which visitors see the dashboard.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping

from deploy.container.show import command
from deploy.default_versions import FILE
from deploy.local.settings import Settings, read_settings
from inkserve.command import run

POLL_S = 0.2
GRACE_S = 30


def variables(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the dashboard's settings: the server beside it, and a store that ends with this start."""
    return {
        "INKSERVE_URL": settings.url("INFERENCE_PORT"),
        "INKSERVE_MANAGEMENT_URL": settings.url("MANAGEMENT_PORT"),
        "INKSERVE_METRICS_URL": f"{settings.url('METRICS_PORT')}/metrics",
        "INKSERVE_KEY_FILE": str(settings.key_file),
        "INKSERVE_MODEL_STORE": str(settings.model_store),
        "INKSERVE_DEFAULTS": str(settings.run_dir / FILE),
        "INKSERVE_FINETUNED": str(settings.run_dir / "finetuned"),
        "DATABASE_URL": f"sqlite:///{settings.run_dir / 'drawings.db'}",
        "ALLOWED_HOSTS": environment.get("SPACE_HOST", ""),
    }


def main() -> int:
    """Run both; the exit code of the one that ends first."""
    settings = read_settings(os.environ)
    own = {**os.environ, **variables(settings, os.environ)}
    commands = [[sys.executable, "-m", "deploy.container.serve"], command(own)]
    running = [subprocess.Popen(each, env=own) for each in commands]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: [each.terminate() for each in running])
    while all(each.poll() is None for each in running):
        time.sleep(POLL_S)
    code = next(each.returncode for each in running if each.returncode is not None)
    for each in running:
        each.terminate()
        each.wait(GRACE_S)
    return code


if __name__ == "__main__":
    sys.exit(run("space", main))
