"""Pack a checkpoint into an archive: `python -m deploy.archive weights/digits-1.0.safetensors`.

The archive, model_store/digits-1.0.mar, is complete in itself: weights, card, handler, config, and the package with its
preprocessing, so that a version rolls back whole. Its sha256 stands beside it: deploy.checksums.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.checksums import ArchiveError, vouch
from inkserve.versions import ARCHIVE, split_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "handwriting"  # a change of it makes archives stale, and of no other package


def pack(weights: Path, model_store: Path, model: str | None = None, config: Path | None = None) -> Path:
    """Pack weights with their card, handler, config and the package, and return the archive's path.

    Args:
        weights: `<model>-<version>.safetensors`, with its card beside it.
        model_store: folder for the archive; it appears there whole or not at all.
        model: name of the recogniser, where it uses the weights of another.
        config: its batching and workers, where not those in `config`.

    Raises:
        ArchiveError: the name is not of that form, a file is missing, or the archiver fails.
    """
    name = split_name(weights.stem)
    if name is None:
        raise ArchiveError(f"{weights}: wanted a name such as digits-1.0.safetensors")
    model, version, card = model or name[0], name[1], weights.with_suffix(".json")
    handler = ROOT / "handlers" / f"{model.replace('-', '_')}_handler.py"
    config = config or ROOT / "config" / f"{model}.yaml"
    missing = [str(path) for path in (weights, card, handler, config) if not path.exists()]
    if missing:
        raise ArchiveError(f"missing for the archive: {', '.join(missing)}")
    model_store.mkdir(parents=True, exist_ok=True)
    # A folder of its own, because the archiver empties one of the model's name in TMPDIR before it works
    with tempfile.TemporaryDirectory(prefix="inkserve-archive-") as folder:
        # Of a folder the archiver takes what is in it, so the package goes into one that holds nothing else
        package = Path(folder) / "src"
        shutil.copytree(PACKAGE, package / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__", "py.typed"))
        command = [Path(sys.executable).with_name("torch-model-archiver"), "--model-name", model]
        command += ["--version", version, "--handler", handler, "--serialized-file", weights]
        command += ["--extra-files", f"{package},{card}", "--config-file", config, "--export-path", folder]
        done = subprocess.run(command, env={"TMPDIR": folder}, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ArchiveError(f"torch-model-archiver failed:\n{done.stdout}{done.stderr}")
        archive = model_store / f"{model}-{version}{ARCHIVE}"
        partial = shutil.copyfile(Path(folder) / f"{model}.mar", archive.with_name(f"{archive.name}.partial"))
    vouch(archive, partial)  # before it is in its place: killed in between, the old one is refused, and packed again
    return partial.replace(archive)


def main() -> int:
    """Pack the checkpoints named on the command line; 1 if one cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.archive", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, nargs="+", help="<model>-<version>.safetensors, with its card beside it")
    parser.add_argument("--model", help="name of the recogniser, where it uses the weights of another")
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), help="folder for the archives")
    options = parser.parse_args()
    for weights in options.weights:
        try:
            print(f"packed {pack(weights, options.model_store, options.model)}")
        except ArchiveError as err:
            print(f"archive: {err}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
