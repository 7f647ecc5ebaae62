"""`python -m deploy.container.show`: the dashboard in the foreground, for other machines to reach through a proxy.

DATABASE_PASSWORD_FILE names a file with the password of DATABASE_URL's user, so that it is in no setting. ALLOWED_HOSTS
has the names under which a proxy shows the dashboard; others are refused, against DNS rebinding.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from inkserve.command import CommandError, run

LOCAL = ("127.0.0.1", "localhost")
APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
PASSWORD_FILE = "DATABASE_PASSWORD_FILE"  # nosec B105 # noqa: S105 - the name of a variable


def main() -> int:
    """Become Streamlit, which then gets the container's signals.

    Raises:
        CommandError: the password cannot be read.
    """
    os.execve(  # noqa: S606 # nosec B606
        sys.executable, command(os.environ), {**os.environ, **password(os.environ)}
    )


def command(environment: Mapping[str, str]) -> list[str]:
    """Return the command that shows the dashboard to other machines, under the names in ALLOWED_HOSTS."""
    port = environment.get("DASHBOARD_PORT") or "8501"
    start = [sys.executable, "-m", "streamlit", "run", str(APP), "--server.address", "0.0.0.0"]  # nosec B104 # noqa: S104
    start += ["--server.port", port]
    hosts = environment.get("ALLOWED_HOSTS", "").replace(",", " ").split()
    return start + [each for host in (*LOCAL, *hosts) for each in ("--server.allowedHosts", host)]


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
