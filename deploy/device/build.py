"""Build the page that reads on the visitor's own device: `python -m deploy.device.build FOLDER`.

Its folder can lie on any host of files with TLS; nothing of it asks a server. Needs npm, which brings ONNX Runtime.
"""

import argparse
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from inkserve.command import CommandError, run

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
PAGE = HERE / "page"
RUNTIME = HERE / "node_modules/onnxruntime-web/dist"
RUNTIME_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs")
WEBASSEMBLY, PACKED = "ort-wasm-simd-threaded.wasm", "runtime.wasm.gzip"
MIB = 2**20


def copy_runtime(folder: Path) -> None:
    """Copy ONNX Runtime, which npm brings in the version of package-lock.json, its WebAssembly packed.

    Raises:
        CommandError: npm is not there, or fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise CommandError("npm is not installed; it brings ONNX Runtime for browsers: https://nodejs.org")
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(f"npm ci failed:\n{done.stderr.strip()}")
    for name in RUNTIME_FILES:
        shutil.copy(RUNTIME / name, folder / name)
    (folder / PACKED).write_bytes(gzip.compress((RUNTIME / WEBASSEMBLY).read_bytes(), mtime=0))


def write_recognisers(folder: Path) -> None:
    """Write what reads, in a process of its own, as exporting needs torch.

    Raises:
        CommandError: it fails.
    """
    command = [sys.executable, "-m", "training.export.device", str(folder), "--weights", str(ROOT / "weights")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"the recognisers cannot be exported:\n{done.stderr.strip()}")


def write_offline(folder: Path) -> None:
    """Write the service worker with the files that it keeps, and a version that changes with them."""
    files = sorted(path.name for path in folder.iterdir() if path.name != "offline.js")
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + (folder / name).read_bytes())
    script = (PAGE / "offline.js").read_text()
    script = script.replace('const VERSION = "";', f'const VERSION = "inkserve-{digest.hexdigest()[:16]}";')
    (folder / "offline.js").write_text(
        script.replace("const FILES = [];", f"const FILES = {json.dumps(['./', *files])};")
    )


def build(folder: Path) -> int:
    """Build the page, and return the size of its files in bytes.

    Raises:
        CommandError: npm fails, or the folder holds other files.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "recognisers.json").exists():
        raise CommandError(f"{folder} holds other files; wanted a new folder, or one with an earlier page")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as holder:
        page = Path(holder) / "page"
        shutil.copytree(PAGE, page)
        shutil.copy(ROOT / "dashboard" / "icon.png", page)
        copy_runtime(page)
        write_recognisers(page)
        write_offline(page)
        shutil.rmtree(folder, ignore_errors=True)
        page.rename(folder)
    return sum(path.stat().st_size for path in folder.iterdir())


def main() -> None:
    """Build from the command line.

    Raises:
        CommandError: the page cannot be built.
    """
    parser = argparse.ArgumentParser(
        prog="python -m deploy.device.build", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/device"), help="default: runs/device")
    folder = parser.parse_args().folder
    size = build(folder)
    print(f"wrote {folder}, {size / MIB:.1f} MiB; try it: python -m http.server --directory {folder} 8000")


if __name__ == "__main__":
    sys.exit(run("device", main))
