"""Compile the front end's guard: `python -m deploy.frontend.build`, with a JDK 17.

The jar is committed, because serving needs a JRE alone. It is the same to the byte wherever it is made; a test makes it
again where there is a JDK 17.
"""

import subprocess
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
JAR = FOLDER / "guard.jar"
RELEASE = "17"  # of Java, as TorchServe needs
MANIFEST = "Manifest-Version: 1.0\nPremain-Class: inkserve.Agent\n\n"


def build(jar: Path) -> None:
    """Compile inkserve/*.java against TorchServe's own jar.

    Args:
        jar: to write.

    Raises:
        FileNotFoundError: there is no javac.
        subprocess.CalledProcessError: it fails.
    """
    torchserve = Path(find_spec("ts").submodule_search_locations[0]) / "frontend" / "model-server.jar"
    sources = sorted((FOLDER / "inkserve").glob("*.java"))
    with tempfile.TemporaryDirectory() as name:
        command = ["javac", "--release", RELEASE, "-proc:none", "-cp", torchserve, "-d", name, *sources]
        subprocess.run(command, check=True)
        with zipfile.ZipFile(jar, "w") as packed:
            _add(packed, "META-INF/MANIFEST.MF", MANIFEST.encode())
            for path in sorted(Path(name).rglob("*.class")):
                _add(packed, str(path.relative_to(name)), path.read_bytes())


def _add(packed: zipfile.ZipFile, name: str, content: bytes) -> None:
    packed.writestr(zipfile.ZipInfo(name), content)  # uncompressed, and dated 1980


if __name__ == "__main__":
    build(JAR)
    print(f"wrote {JAR}")
    sys.exit(0)
