"""The rollout of a fine-tuned version: load it beside the base version, make it the default, and roll back."""

import threading
import zipfile
import zlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

from dashboard.finetune.finetuned import FineTuned
from dashboard.shared.endpoint import Endpoint
from dashboard.shared.loaded_versions import make_default
from deploy.archive import pack
from deploy.checksums import ArchiveError, check, checksum_of
from inkserve.management import Management, ManagementError, ModelApiOffError, ModelVersion
from inkserve.versions import ARCHIVE


class Stage(StrEnum):
    """How far a fine-tuned version has been rolled out."""

    NOT_LOADED = "not loaded"
    BESIDE = "loaded beside the base version"
    DEFAULT = "default"


def stage_of(found: FineTuned, loaded: Sequence[ModelVersion]) -> Stage:
    """Return the stage of a version, from the versions that are loaded."""
    version = next((each for each in loaded if each.name == str(found.tuned)), None)
    if version is None:
        return Stage.NOT_LOADED
    return Stage.DEFAULT if version.is_default else Stage.BESIDE


def is_loaded(endpoint: Endpoint, loaded: Sequence[ModelVersion]) -> bool:
    """Whether a version is loaded."""
    return any(each.name == str(endpoint) for each in loaded)


def load(found: FineTuned, api: Management, archives: Path) -> None:
    """Pack a version into the model store, and load it beside the base version.

    Raises:
        ManagementError: it cannot be packed or loaded; the message says why.
    """
    if stage_of(found, api.versions()) is not Stage.NOT_LOADED:
        return
    path = archive(found, archives)
    try:
        api.load(path.name)
    except ModelApiOffError as err:
        raise ModelApiOffError(f"{path.name} is packed, and `make up` loads it at the next start; {err}") from err


def promote(found: FineTuned, api: Management) -> None:
    """Make a loaded version the default, also after a restart.

    Raises:
        ManagementError: it is not; the message says why.
    """
    make_default(api, found.tuned.model, found.tuned.version)


def roll_back(found: FineTuned, api: Management, archives: Path, delete: bool) -> None:
    """Make the base version the default again, and unload the fine-tuned version. Its weights are kept.

    Args:
        found: both versions.
        api: of the server.
        archives: the model store.
        delete: whether to delete the archive; otherwise it is loaded again at the next start.

    Raises:
        ManagementError: the base version is not loaded, or the server refuses.
    """
    loaded = api.versions()
    stage = stage_of(found, loaded)
    if stage is Stage.DEFAULT:
        if not is_loaded(found.base, loaded):
            raise ManagementError(f"{found.base} is not loaded; load it on the Models page first")
        make_default(api, found.base.model, found.base.version)
    off: ModelApiOffError | None = None
    if stage is not Stage.NOT_LOADED:
        try:
            api.unload(found.tuned.model, found.tuned.version)
        except ModelApiOffError as err:
            off = err
    path = _path(found, archives)
    if delete and _contains(path, found.weights):
        path.unlink()
        checksum_of(path).unlink(missing_ok=True)
    if off:
        raise ModelApiOffError(
            f"{found.base} is the default, but {found.tuned} stays loaded until the next start; {off}"
        ) from off


def archive(found: FineTuned, archives: Path) -> Path:
    """Return the archive of a version in the model store, which is packed if it is missing.

    Raises:
        ManagementError: it cannot be packed, is invalid, or an archive of this name has other weights.
    """
    path = _path(found, archives)
    if path.exists() and not _contains(path, found.weights):
        raise ManagementError(f"{path.name} is in the model store already, with other weights than {found.weights}")
    try:
        if not path.exists():
            pack(found.weights, archives)
        check(path)
        return path
    except (ArchiveError, OSError) as err:
        raise ManagementError(f"{found.tuned} cannot be packed or loaded: {err}") from err


def _path(found: FineTuned, archives: Path) -> Path:
    return archives / f"{found.tuned.model}-{found.tuned.version}{ARCHIVE}"


def _contains(path: Path, weights: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as packed:
            return zlib.crc32(weights.read_bytes()) == packed.getinfo(weights.name).CRC
    except (OSError, KeyError, zipfile.BadZipFile):
        return False


class Task:
    """Runs one task at a time in a thread, for all sessions of this process; it continues if the page is left.

    Attributes:
        subject: of the last task.
        title: of the last task.
        outcome: of the last task: whether it succeeded, and what was done, or why it failed; None while it runs, and
            before the first.
    """

    def __init__(self) -> None:
        self.subject = self.title = ""
        self.outcome: tuple[bool, str] | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, subject: str, title: str, done: str, action: Callable[[], None]) -> bool:
        """Start a task.

        Args:
            subject: what it is about.
            title: what to show while it runs.
            done: what to show after success.
            action: its work; a ManagementError says why it fails.

        Returns:
            False if a task is running.
        """
        with self._lock:
            if self.is_running():
                return False
            self.subject, self.title, self.outcome = subject, title, None
            self._thread = threading.Thread(target=self._run, args=(done, action), name="rollout", daemon=True)
            self._thread.start()
            return True

    def is_running(self) -> bool:
        """Whether a task is running."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self, timeout_s: float) -> None:
        """Wait for the end of the task, at most for the time given."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, done: str, action: Callable[[], None]) -> None:
        try:
            action()
            self.outcome = True, done
        except ManagementError as err:
            self.outcome = False, f"Failed: {err}."
        except Exception as err:  # the page shows it
            self.outcome = False, f"Failed: {type(err).__name__}: {err}."
            raise
