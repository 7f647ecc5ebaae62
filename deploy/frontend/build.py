"""Compiles the Java agent, and packs docs/openapi.yaml with it: `python -m deploy.frontend.build`, with a JDK 17.

The jar is committed, because serving needs only a JRE. Builds are reproducible; a test compares one with the jar if
there is a JDK 17.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parent
JAR = FOLDER / "guard.jar"
API = FOLDER.parents[1] / "docs" / "openapi.yaml"
DESCRIPTION = "openapi.json"  # in the jar; served at this address
RELEASE = "17"  # of Java, as TorchServe needs
MANIFEST = "Manifest-Version: 1.0\nPremain-Class: inkserve.Agent\n\n"


def build(jar: Path) -> None:
    """Compile inkserve/*.java against TorchServe's own jar.

    Args:
        jar: to write.

    Raises:
        FileNotFoundError: javac is not installed.
        subprocess.CalledProcessError: javac fails.
    """
    torchserve = Path(find_spec("ts").submodule_search_locations[0]) / "frontend" / "model-server.jar"
    sources = sorted((FOLDER / "inkserve").glob("*.java"))
    with tempfile.TemporaryDirectory() as name:
        command = ["javac", "--release", RELEASE, "-proc:none", "-cp", torchserve, "-d", name, *sources]
        subprocess.run(command, check=True)
        with zipfile.ZipFile(jar, "w") as packed:
            _add(packed, "META-INF/MANIFEST.MF", MANIFEST.encode())
            _add(packed, DESCRIPTION, describe())
            for path in sorted(Path(name).rglob("*.class")):
                _add(packed, str(path.relative_to(name)), path.read_bytes())


def describe() -> bytes:
    """Return the description of the inference API as JSON."""
    return json.dumps(yaml.safe_load(API.read_text()), separators=(",", ":")).encode()


def _add(packed: zipfile.ZipFile, name: str, content: bytes) -> None:
    packed.writestr(zipfile.ZipInfo(name), content)  # uncompressed and dated 1980, so that builds are reproducible


if __name__ == "__main__":
    build(JAR)
    print(f"wrote {JAR}")
    sys.exit(0)
