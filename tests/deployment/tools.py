"""Programs of .venv-deploy, the environment of deploy/tools.txt."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.local.settings import ROOT

NONE: Mapping[str, str] = {}
BIN = Path(os.environ.get("DEPLOY_VENV") or ROOT / ".venv-deploy") / "bin"

needs_tools = pytest.mark.skipif(not (BIN / "kubectl").exists(), reason="no .venv-deploy: `make deploy-tools` makes it")


def run_tool(
    name: str, *arguments: object, variables: Mapping[str, str] = NONE, **options: object
) -> subprocess.CompletedProcess:
    """Run a program of that environment from the repository's root; its output is text."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **variables}
    command = [BIN / name, *map(str, arguments)]
    settings = {"cwd": ROOT, "env": environment, "timeout": 300, "check": False} | options
    return subprocess.run(command, capture_output=True, text=True, **settings)  # noqa: PLW1510 - in the settings
