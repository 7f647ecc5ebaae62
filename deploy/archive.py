"""Packs a checkpoint into an archive: `python -m deploy.archive weights/digits-1.0.safetensors`.

The archive, model_store/digits-1.0.mar, holds all that a version needs: weights, also as the graph that ONNX Runtime
scores, card, handler, config, and the package `handwriting` with its preprocessing. So a rollback restores all of it.
Its sha256 is in a file beside it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.checksums import ArchiveError, write_checksum
from inkserve.command import run
from inkserve.files import partial_of
from inkserve.versions import ARCHIVE, split_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "handwriting"  # the only package in an archive


def pack(weights: Path, model_store: Path, model: str | None = None, config: Path | None = None) -> Path:
    """Pack weights with their card, handler, config and package, and return the path of the archive.

    Args:
        weights: `<model>-<version>.safetensors`, with its card beside it.
        model_store: folder for the archive.
        model: name of the recogniser, if it uses the weights of another one.
        config: of batching and workers, if not the one in `config`.

    Raises:
        ArchiveError: the name has another form, a file is missing, or the archiver fails.
    """
    name = split_name(weights.stem)
    if name is None:
        raise ArchiveError(f"{weights}: wanted a name such as digits-1.0.safetensors")
    weights = weights.resolve()  # as the tools run in ROOT
    model, version, card = model or name[0], name[1], weights.with_suffix(".json")
    handler = ROOT / "handlers" / f"{model.replace('-', '_')}_handler.py"
    config = (config or ROOT / "config" / f"{model}.yaml").resolve()
    missing = [str(path) for path in (weights, card, handler, config) if not path.exists()]
    if missing:
        raise ArchiveError(f"missing for the archive: {', '.join(missing)}")
    model_store.mkdir(parents=True, exist_ok=True)
    # Its own TMPDIR, because the archiver empties the folder TMPDIR/<model> before it works
    with tempfile.TemporaryDirectory(prefix="inkserve-archive-") as folder:
        # The archiver copies the contents of a folder, so the package is copied into a folder of its own
        package = Path(folder) / "src"
        shutil.copytree(PACKAGE, package / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__", "py.typed"))
        graph = Path(folder) / f"{weights.stem}.onnx"
        run_tool([sys.executable, "-m", "deploy.graph", weights, graph], os.environ)
        command = [Path(sys.executable).with_name("torch-model-archiver"), "--model-name", model]
        command += ["--version", version, "--handler", handler, "--serialized-file", weights]
        command += ["--extra-files", f"{package},{card},{graph}", "--config-file", config, "--export-path", folder]
        run_tool(command, {"TMPDIR": folder})
        archive = model_store / f"{model}-{version}{ARCHIVE}"
        partial = shutil.copyfile(Path(folder) / f"{model}.mar", partial_of(archive))
    # First the checksum: after a kill in between, the old archive is refused and packed again
    write_checksum(archive, partial)
    return partial.replace(archive)


def run_tool(command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
    """Run a program that writes a part of an archive.

    Raises:
        ArchiveError: it fails.
    """
    # In ROOT, where `deploy` is found whatever folder the caller works in
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join(map(str, command))
        raise ArchiveError(f"this failed: {shown}\n{done.stdout}{done.stderr}")


def main() -> int:
    """Pack the checkpoints on the command line.

    Raises:
        ArchiveError: one cannot be packed.
    """
    parser = argparse.ArgumentParser(
        prog="python -m deploy.archive", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, nargs="+", help="<model>-<version>.safetensors, with its card beside it")
    parser.add_argument("--model", help="name of the recogniser, if it uses the weights of another one")
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), help="folder for the archives")
    options = parser.parse_args()
    for weights in options.weights:
        print(f"packed {pack(weights, options.model_store, options.model)}")
    return 0


if __name__ == "__main__":
    sys.exit(run("archive", main))
