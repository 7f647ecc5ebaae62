"""A real PostgreSQL for the tests: a cluster of their own, thrown away afterwards."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from deploy.local.settings import free_ports

TIMEOUT_S = 60


class Cluster:
    """A PostgreSQL server on a free port, with its files in a folder of its own."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder, self.data = programs, folder, folder / "data"
        [self.port] = free_ports(1)
        self.databases = 0
        self.process: subprocess.Popen | None = None
        if os.geteuid() == 0:
            os.chown(folder, owner().pw_uid, owner().pw_gid)
        made = [programs / "initdb", "--pgdata", self.data, "--username", "tests", "--auth", "trust", "--no-locale"]
        subprocess.run([*self.as_owner(), *made, "--encoding", "UTF8"], check=True, capture_output=True, cwd=folder)

    def as_owner(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        return ["setpriv", f"--reuid={owner().pw_uid}", f"--regid={owner().pw_gid}", "--clear-groups"]

    def url(self, database: str = "postgres") -> str:
        """The address, as people write it: SQLAlchemy's driver is not named."""
        return f"postgresql://tests@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        engine = create_engine(self.url().replace("://", "+psycopg://"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def new_database(self) -> str:
        """The address of a fresh, empty database."""
        self.databases += 1
        self.execute(f"CREATE DATABASE tests{self.databases}")
        return self.url(f"tests{self.databases}")

    def start(self) -> None:
        """Start the server, and return when it answers."""
        command = [
            self.programs / "postgres",
            "-D",
            self.data,
            "-p",
            str(self.port),
            "-h",
            "127.0.0.1",
            "-k",
            self.folder,
        ]
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            if (
                self.process is None or self.process.poll() is not None
            ):  # it also ends while a killed one's memory is held
                with (self.folder / "log").open("ab") as log:
                    self.process = subprocess.Popen(
                        [*self.as_owner(), *command], cwd=self.folder, stdout=log, stderr=log, start_new_session=True
                    )
            if self.answers():
                return
            time.sleep(0.1)
        raise TimeoutError((self.folder / "log").read_text())

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                pass
            self.execute("SELECT 1")
        except (OSError, SQLAlchemyError):
            return False
        return True

    def kill(self) -> None:
        """End the server and all its processes at once, as when the machine loses power."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # fast shutdown: it ends its connections
            self.process.wait(timeout=TIMEOUT_S)


def owner() -> pwd.struct_passwd:
    """The user to run as, since PostgreSQL does not run as root: the one that Debian's package makes, or nobody."""
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def find_programs() -> Path | None:
    """The folder of PostgreSQL's programs: of the newest that Debian has put aside, or the one on PATH."""
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    found = newest[-1] if newest else on_path and Path(on_path).resolve()
    return found.parent if found else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """Start a cluster; the tests that want it are skipped where PostgreSQL is not installed."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:  # short: it holds the socket
        cluster = Cluster(programs, Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
