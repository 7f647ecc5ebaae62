"""Starts TorchServe with our configuration, and tells when it is ready."""

import os
import shutil
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import psutil
import requests

from deploy.local import process
from deploy.local.java import find_java_home
from deploy.local.process import Service
from deploy.local.served_versions import archives, has_started, note_started, set_defaults, versions
from deploy.local.settings import EXPOSURE, HOST, NO_PROXY, ROOT, TOKENS_FILE, Settings, StackError
from inkserve.readiness import read_readiness

ADDRESSES = {
    "TS_INFERENCE_ADDRESS": "INFERENCE_PORT",
    "TS_MANAGEMENT_ADDRESS": "MANAGEMENT_PORT",
    "TS_METRICS_ADDRESS": "TORCHSERVE_METRICS_PORT",
}
REQUEST_TIMEOUT_S = 2  # a request hangs if the worker is dead
LOGS = ("console.log", "server.log", "workers.log")  # explain a failed start
LOG_LEVELS = ("debug", "info", "warn", "warning", "error", "off")  # names that log4j and Python share
GUARD = ROOT / "deploy" / "frontend" / "guard.jar"
EXAMPLE = ROOT / "examples" / "digits" / "7-1.png"


def start(settings: Settings) -> psutil.Process:
    """Start TorchServe in the background and return its process; it does not answer yet.

    Its output goes where its logs go: into files, or with LOG_TARGET=console to our own.

    Archives that may not be loaded are named on standard error, and the others are loaded. TorchServe itself would load
    any file, and none at all if one is broken.

    Raises:
        StackError: it could not be started, or there is no archive to load.
    """
    names = [path.name for path in archives(settings, lambda why: print(f"not loaded: {why}", file=sys.stderr))]
    check_log_level(os.environ.get("LOG_LEVEL", "info"))
    make_private(settings.temp_dir)
    archives_mark(settings).touch()
    settings.logs.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(settings.metrics, ignore_errors=True)  # counters start at 0, as TorchServe's own do
    settings.metrics.mkdir(parents=True)
    settings.key_file.unlink(missing_ok=True)  # tokens of an earlier server are not valid
    command = [Path(sys.executable).with_name("torchserve"), "--start", "--no-config-snapshots"]
    command += ["--ts-config", ROOT / "config.properties", "--model-store", settings.model_store]
    command += ["--log-config", ROOT / "config" / "log4j2.xml"]
    to_console = os.environ.get("LOG_TARGET") == "console"  # config/log4j2.xml reads it, too
    with nullcontext() if to_console else (settings.logs / LOGS[0]).open("wb") as log:
        done = subprocess.run(
            command,
            env=environment(settings) | {"TS_LOAD_MODELS": ",".join(names)},
            cwd=settings.run_dir,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=process.PRIVATE,  # otherwise others could read the tokens for a moment
            timeout=60,
            check=False,
        )
    pid_file = settings.temp_dir / ".model_server.pid"
    if done.returncode or not pid_file.exists():
        raise StackError(f"TorchServe did not start:\n{process.tail([settings.logs / name for name in LOGS])}")
    try:
        return psutil.Process(int(pid_file.read_text()))
    except psutil.NoSuchProcess as err:
        raise StackError(f"TorchServe ended at once:\n{process.tail([settings.logs / name for name in LOGS])}") from err


def archives_mark(settings: Settings) -> Path:
    """Return an empty file that is as old as the last look for archives, by the clock that dates the archives, too."""
    return settings.temp_dir / "archives"


def check_log_level(level: str) -> None:
    """Check the log level; with an unknown one, no worker starts.

    Raises:
        StackError: the level is unknown.
    """
    if level.lower() not in LOG_LEVELS:
        raise StackError(f"LOG_LEVEL is {level!r}; wanted one of {', '.join(LOG_LEVELS)}")


def make_private(folder: Path) -> None:
    """Make an empty folder that only this user can enter.

    Raises:
        StackError: the folder belongs to another user.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise StackError(f"{folder} belongs to somebody else; set TMPDIR to a folder of your own")
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)


def environment(settings: Settings) -> dict[str, str]:
    """Return TorchServe's environment: ours, with its ports, folders and Java.

    Without PYTHONPATH, which would come before the archive's code in the workers.
    """
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "TS_CONFIG_FILE"}}
    return kept | {
        **{name: f"http://{settings.host(port)}:{settings.ports[port]}" for name, port in ADDRESSES.items()},
        "TS_DISABLE_TOKEN_AUTHORIZATION": "false" if settings.tokens else "true",
        TOKENS_FILE: str(settings.tokens_file or ""),
        "TS_GRPC_INFERENCE_PORT": str(settings.ports["GRPC_INFERENCE_PORT"]),
        "TS_GRPC_MANAGEMENT_PORT": str(settings.ports["GRPC_MANAGEMENT_PORT"]),
        "TS_GRPC_INFERENCE_ADDRESS": HOST,
        "TS_GRPC_MANAGEMENT_ADDRESS": HOST,
        "TS_ALLOWED_URLS": f"file://{settings.model_store}/.*",
        "PROMETHEUS_MULTIPROC_DIR": str(settings.metrics),
        "LOG_LOCATION": str(settings.logs),
        "METRICS_LOCATION": str(settings.logs),
        "JAVA_HOME": str(find_java_home()),
        "JDK_JAVA_OPTIONS": f'{kept.get("JDK_JAVA_OPTIONS", "")} -javaagent:"{GUARD}"'.strip(),
        "TMPDIR": str(settings.temp_dir),  # for the launcher's pid file
        "TEMP": str(settings.temp_dir),  # for Java: unpacked archives and the workers' sockets
    }


def is_ready(settings: Settings) -> bool:
    """Tell whether the server says that it is ready, with all workers of each version and all archives loaded."""
    return read_readiness(settings.url("INFERENCE_PORT")).has_all_workers()


def why(settings: Settings) -> str:
    """Say why the server is not ready."""
    return read_readiness(settings.url("INFERENCE_PORT")).reason or "workers are missing"


def settle(settings: Settings) -> None:
    """Set the default versions, once after each start.

    Raises:
        StackError: the server refuses.
    """
    if not has_started(settings):
        set_defaults(settings, versions(settings))
        note_started(settings)


def ask(settings: Settings, version: str) -> tuple[dict, float] | None:
    """Ask `<model>/<version>` for a prediction; return the answer and its round-trip time in ms, or None."""
    url = f"{settings.url('INFERENCE_PORT')}/predictions/{version}"
    try:
        response = requests.post(
            url,
            data=EXAMPLE.read_bytes(),
            timeout=REQUEST_TIMEOUT_S,
            proxies=NO_PROXY,
            auth=settings.auth("inference"),
        )
        return (response.json(), response.elapsed.total_seconds() * 1000) if response.ok else None
    except (requests.RequestException, ValueError):
        return None


TORCHSERVE = Service(
    "torchserve",
    frozenset(
        {
            "INFERENCE_PORT",
            "MANAGEMENT_PORT",
            "TORCHSERVE_METRICS_PORT",
            "GRPC_INFERENCE_PORT",
            "GRPC_MANAGEMENT_PORT",
        }
    ),
    LOGS,
    start,
    is_ready,
    ready_timeout_s=600,  # as startupTimeout in config/*.yaml
    exposure=frozenset({*EXPOSURE, "MODEL_STORE"}),
    why=why,
)
