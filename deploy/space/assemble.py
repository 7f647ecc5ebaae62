"""`python -m deploy.space.assemble FOLDER`: writes the repository to push to a Hugging Face Space.

It holds what .dockerignore lets into images, as git has it, and the Space's own README.md and Dockerfile at its root.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from inkserve.command import CommandError, run

ROOT = Path(__file__).resolve().parents[2]
SPACE = ROOT / "deploy" / "space"


def shipped() -> list[Path]:
    """Return the files that images are made of, relative to the repository."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    parts = [line.removeprefix("!") for line in lines if line.startswith("!")]
    done = subprocess.run(["git", "ls-files", "--", *parts], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(line) for line in done.stdout.splitlines()]


def assemble(folder: Path) -> int:
    """Write the repository, and return the number of its files.

    Raises:
        CommandError: the folder has files already, other than git's own.
    """
    if folder.exists() and any(each.name != ".git" for each in folder.iterdir()):
        raise CommandError(f"{folder} is not empty; wanted a new folder, or an empty clone of the Space")
    files = shipped()
    for each in files:
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / each, folder / each)
    for name in ("README.md", "Dockerfile"):
        shutil.copy(SPACE / name, folder / name)
    # Hugging Face takes larger files and binary ones by Git LFS alone
    kinds = ("*.safetensors", "*.onnx", "*.jar", "*.png")
    (folder / ".gitattributes").write_text("".join(f"{each} filter=lfs diff=lfs merge=lfs -text\n" for each in kinds))
    return len(files)


def main() -> int:
    """Assemble.

    Raises:
        CommandError: the folder is not empty.
    """
    parser = argparse.ArgumentParser(
        prog="python -m deploy.space.assemble",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="new, or an empty clone of the Space")
    folder = parser.parse_args().folder
    print(f"wrote {assemble(folder)} files to {folder}; commit and push them with git and git-lfs")
    return 0


if __name__ == "__main__":
    sys.exit(run("space", main))
