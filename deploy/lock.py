"""`python -m deploy.lock`: writes requirements.lock, the packages of `make up` with the sha256 of each of their files.

uv resolves for all systems and for Python 3.11 and newer at once, within constraints.txt. PyTorch and what only its
builds for NVIDIA cards need are left out: its files differ by index. `make lock` runs this.
"""

import re
import subprocess
import sys

from deploy.install import LOCK, PINS, ROOT, UP
from inkserve.command import CommandError, run
from inkserve.files import atomic_write

OF_TORCH = re.compile(r"(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==")
HEADER = "# The packages of `make up`, written by `make lock`\n"


def main() -> int:
    """Write the lock.

    Raises:
        CommandError: uv fails.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--group", UP, "--universal", "--quiet"]
    command += ["--python-version", "3.11", "--constraint", PINS, "--generate-hashes", "--no-header", "--no-annotate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(done.stderr.strip())
    packages = re.split(r"^(?=\S)", done.stdout, flags=re.MULTILINE)
    kept = [package for package in packages if package and not OF_TORCH.match(package)]
    with atomic_write(LOCK) as partial:
        partial.write_text(HEADER + "".join(kept))
    print(f"wrote {len(kept)} packages to {LOCK.name}")
    return 0


if __name__ == "__main__":
    sys.exit(run("lock", main))
