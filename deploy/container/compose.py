"""`python -m deploy.container.compose`: starts compose.yaml, waits until all is healthy, and ends with predictions.

Needs the standard library only, and `docker compose`. Makes secrets that are missing: the database's password, and an
address for alerts that leads nowhere until you write your own.
"""

import secrets
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
COMPOSE = ["docker", "compose", "--file", str(FOLDER / "compose.yaml")]
NOWHERE = "http://127.0.0.1:9/"  # the port "discard"


def make_secrets(folder: Path) -> None:
    """Write the secrets that are missing.

    Only this user can enter the folder. The files in it can be read by all, as containers have users of their own.
    """
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    for name, text in (("database-password", secrets.token_urlsafe(24)), ("alert-webhook", NOWHERE)):
        path = folder / name
        if not path.exists():
            path.write_text(text)
            path.chmod(0o644)


def main() -> int:
    """Start all; the exit code of the command that fails, or 0."""
    make_secrets(FOLDER / "secrets")
    for arguments in (
        ["up", "--detach", "--wait"],
        ["exec", "-T", "server", "python", "-m", "deploy.container.predict"],
    ):
        if code := subprocess.run([*COMPOSE, *arguments], check=False).returncode:
            print(f"containers: docker compose {' '.join(arguments)} ended with {code}", file=sys.stderr)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
