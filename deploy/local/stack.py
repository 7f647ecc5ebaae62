"""The stack as a whole: starts, finds and stops its services."""

import fcntl
import shutil
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from deploy.local import process, torchserve
from deploy.local.services import DASHBOARD, METRICS, PROMETHEUS, reload_prometheus
from deploy.local.settings import HOST, TEMP_ROOT, TOKENS_FILE, Settings, StackError
from deploy.local.torchserve import TORCHSERVE

SERVICES = {each.name: each for each in (TORCHSERVE, METRICS, DASHBOARD)}  # in the order of their start
EXTRAS = {PROMETHEUS.name: PROMETHEUS}  # started on request, stopped with the others
ALL = SERVICES | EXTRAS


class Stack:
    """TorchServe, the metrics page and the dashboard with one set of ports and folders."""

    def __init__(self, settings: Settings) -> None:
        self.record = process.Record(settings.run_dir / "stack.json")
        self.settings = settings
        if self.record.find("torchserve"):  # its folder, wherever TMPDIR is now
            self.settings = replace(settings, temp_root=self._temp_root())

    def up(self) -> None:
        """Start what does not run yet, and return when a real prediction was answered.

        Raises:
            StackError: a port is taken, the stack already runs on others, or a service does not start.
        """
        with self.locked():
            self.check_same_ports(SERVICES)
            if self.is_outdated():
                print("an archive is newer than the running server: starting it again")
                self.stop("torchserve")
            for name, running in self.running().items():
                if running is None:
                    self.check_free(name)  # before anything is started
            for name in SERVICES:
                self.start(name)

    def monitor(self) -> None:
        """Start Prometheus, or reload the rules and ports of a running one.

        Raises:
            StackError: its port is taken, it or the metrics page already runs on another, or it does not start.
        """
        with self.locked():
            self.check_same_ports(["metrics"])  # otherwise it would watch the wrong port
            self.check_same_ports(EXTRAS)
            running = self.record.find("prometheus")
            if running is not None:
                reload_prometheus(self.settings, running)
            self.start("prometheus")

    def start(self, name: str) -> None:
        """Start one service unless it runs, and wait until it is ready."""
        service = ALL[name]
        running = self.record.find(name)
        if running is None:
            self.check_free(name)
            print(f"starting {name} ...", flush=True)
            running = service.start(self.settings)
            recorded = self.record.read()
            own = {name: self.settings.variables[name] for name in service.variables}
            folder = {TEMP_ROOT: str(self.settings.temp_dir.parent)} if name == "torchserve" else {}
            self.record.write(recorded | {"ports": recorded.get("ports", {}) | own} | folder)
            self.record.add(name, running)
        try:
            logs = [self.settings.logs / each for each in service.logs]
            process.wait_until(
                lambda: service.is_ready(self.settings),
                running,
                service.ready_timeout_s,
                logs,
                lambda: service.why(self.settings),
            )
            if name == "torchserve":
                torchserve.settle(self.settings)
        except StackError as err:
            raise StackError(f"{name}: {err}") from err

    def down(self) -> None:
        """Stop what runs, and remove the sockets and unpacked archives."""
        with self.locked():
            for name in EXTRAS:
                if self.record.find(name):
                    self.stop(name)
            for name in reversed(SERVICES):
                self.stop(name)
            self.record.clear()

    def stop(self, name: str) -> None:
        """Stop one service if it runs."""
        running = self.record.find(name)
        if running is None:
            print(f"{name} does not run")
        else:
            process.stop(running)
            print(f"{name} stopped")
        if name == "torchserve":
            for root in {self.settings.temp_root, self._temp_root()}:
                shutil.rmtree(replace(self.settings, temp_root=root).temp_dir, ignore_errors=True)
            self.settings.key_file.unlink(missing_ok=True)  # TorchServe does not remove it

    def running(self) -> dict[str, psutil.Process | None]:
        """Return the process of each service of `make up`, or None where it does not run."""
        return {name: self.record.find(name) for name in SERVICES}

    def as_running(self) -> Settings:
        """Return the settings with what the running services were started with: ports, hosts, tokens and folders."""
        found = self.record.read().get("ports", {})
        running = [service for name, service in ALL.items() if self.record.find(name)]
        names = frozenset().union(*(service.variables for service in running))
        recorded = self.settings.variables | {name: value for name, value in found.items() if name in names}
        return replace(
            self.settings,
            ports={name: int(recorded[name]) for name in self.settings.ports},
            model_store=Path(recorded["MODEL_STORE"]),
            inference_host=recorded["INFERENCE_HOST"],
            management_host=recorded["MANAGEMENT_HOST"],
            metrics_host=recorded["METRICS_HOST"],
            tokens=recorded["TOKENS"] == "on",
            tokens_file=Path(file) if (file := recorded[TOKENS_FILE]) else None,
        )

    def _temp_root(self) -> Path | None:
        recorded = self.record.read().get(TEMP_ROOT)
        return Path(recorded) if recorded else None

    def check_same_ports(self, services: Collection[str]) -> None:
        """Check that running services use the ports, hosts and tokens of the settings.

        Raises:
            StackError: they use others.
        """
        recorded = self.record.read().get("ports", {})
        own = frozenset().union(*(ALL[name].variables for name in services))
        other = [
            f"{name}={value}"
            for name, value in recorded.items()
            if name in own and self.settings.variables[name] != value
        ]
        if other and any(self.record.find(name) for name in services):
            raise StackError(f"already running with {' '.join(other)}: name the same, or `make down` first")

    def check_free(self, name: str) -> None:
        """Check that nothing else listens on the ports of a service.

        Raises:
            StackError: a port is taken.
        """
        for variable in ALL[name].ports:
            port = self.settings.ports[variable]
            if is_taken(port, self.settings.host(variable)):
                raise StackError(f"port {port} is taken: free it, or choose another with {variable}={port + 10000}")

    def is_outdated(self) -> bool:
        """Tell whether an archive is newer than the running server."""
        mark = torchserve.archives_mark(self.settings)
        if self.record.find("torchserve") is None or not mark.exists():
            return False
        loaded_s = mark.stat().st_mtime
        return any(path.stat().st_mtime > loaded_s for path in self.settings.model_store.glob("*.mar"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one command at a time change the stack; others wait."""
        self.settings.run_dir.mkdir(parents=True, exist_ok=True)
        with (self.settings.run_dir / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def is_taken(port: int, host: str = HOST) -> bool:
    """Tell whether a port is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ignores connections in TIME_WAIT
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def addresses(settings: Settings) -> Mapping[str, str]:
    """Return the addresses for users, by name."""
    return {
        "Dashboard": settings.url("DASHBOARD_PORT"),
        "Predictions": f"{settings.url('INFERENCE_PORT')}/predictions/digits",
        "Management": f"{settings.url('MANAGEMENT_PORT')}/models/digits",
        "Metrics": f"{settings.url('METRICS_PORT')}/metrics",
    }
