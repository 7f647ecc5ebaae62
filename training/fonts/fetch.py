"""Fetch the handwriting fonts that `package-lock.json` names and pins, with npm, into DATA_DIR/fonts."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from training.data import DataError

LOCK = ("package.json", "package-lock.json")
PATTERNS = ("*-latin-400-normal.woff", "*-latin-[35]00-normal.woff")  # most fonts have the first, all one of them
TIMEOUT_S = 900


def fetch_fonts(folder: Path) -> None:
    """Install the pinned packages beside the folder, and keep one font file of each.

    npm compares each package with the SHA-512 in the lock file. Packages' own scripts are not run.

    Args:
        folder: where the fonts go; it takes its place only when all are there.

    Raises:
        DataError: npm is not there, or failed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DataError("npm, which fetches the fonts, is not on PATH; it comes with Node.js")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        packages, fonts = Path(name), Path(name) / "fonts"
        for file in LOCK:
            shutil.copy(Path(__file__).parent / file, packages)
        install(npm, packages)
        fonts.mkdir()
        for package in sorted(packages.glob("node_modules/@*/*")):
            shutil.copy(font_file(package), fonts / f"{package.name}.woff")
        shutil.rmtree(folder, ignore_errors=True)
        fonts.rename(folder)


def install(npm: str, folder: Path) -> None:
    """Install what a folder's lock file names.

    Raises:
        DataError: npm failed, or took more than TIMEOUT_S.
    """
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(command, cwd=folder, check=True, timeout=TIMEOUT_S, stdout=subprocess.DEVNULL)
    except subprocess.CalledProcessError as err:
        raise DataError(f"fonts: npm ci ended with exit code {err.returncode}") from err
    except subprocess.TimeoutExpired as err:
        raise DataError(f"fonts: npm ci did not end within {TIMEOUT_S} s") from err


def font_file(package: Path) -> Path:
    """Find the package's font of regular weight, or the one nearest to it.

    Raises:
        DataError: it has none.
    """
    files = [file for pattern in PATTERNS for file in sorted((package / "files").glob(pattern))]
    if not files:
        raise DataError(f"{package.name}: no file {' or '.join(PATTERNS)}")
    return files[0]
