"""`python -m deploy.container.show`: the dashboard in the foreground, for other machines to reach through a proxy.

DATABASE_PASSWORD_FILE names a file with the password of DATABASE_URL's user, so that it is in no setting.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from inkserve.command import CommandError, run

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
PASSWORD_FILE = "DATABASE_PASSWORD_FILE"  # nosec B105 # noqa: S105 - the name of a variable


def main() -> int:
    """Become Streamlit, which then gets the container's signals.

    Raises:
        CommandError: the password cannot be read.
    """
    command = [sys.executable, "-m", "streamlit", "run", str(APP), "--server.address", "0.0.0.0"]  # noqa: S104 # nosec B104
    os.execve(sys.executable, command, {**os.environ, **password(os.environ)})  # noqa: S606 # nosec B606


def password(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variable with which PostgreSQL's client gets the password in the named file; none without a file.

    Raises:
        CommandError: it cannot be read, or is empty.
    """
    path = environment.get(PASSWORD_FILE)
    if not path:
        return {}
    try:
        text = Path(path).read_text().strip()
    except OSError as err:
        raise CommandError(f"{PASSWORD_FILE} is {path}, which cannot be read: {err.strerror}") from err
    if not text:
        raise CommandError(f"{PASSWORD_FILE} is {path}, which is empty; wanted a password")
    return {"PGPASSWORD": text}


if __name__ == "__main__":
    sys.exit(run("dashboard", main))
