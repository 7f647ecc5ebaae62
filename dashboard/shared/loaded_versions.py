"""What is loaded on the server and can be loaded, and the default version that survives a restart."""

import os
from pathlib import Path

from deploy.default_versions import Defaults
from inkserve.management import Management, ManagementError, ModelVersion

STORE_VARIABLE = "INKSERVE_MODEL_STORE"
DEFAULTS_VARIABLE = "INKSERVE_DEFAULTS"  # file in which `make up` looks up the default versions
DEFAULT_STORE = Path(__file__).resolve().parents[2] / "model_store"
TIMEOUT_S = (0.5, 2.0)  # connect, read: a page waits for it


def model_store() -> Path:
    """Return the folder of the server's archives: that of INKSERVE_MODEL_STORE, or DEFAULT_STORE."""
    return Path(os.environ.get(STORE_VARIABLE) or DEFAULT_STORE)


def management() -> Management:
    """Return a client of the management API that gives up soon."""
    return Management(timeout_s=TIMEOUT_S)


def versions_or_empty() -> tuple[ModelVersion, ...]:
    """Return the loaded versions, none of them if the management API does not answer."""
    try:
        with management() as api:
            return api.versions()
    except ManagementError:
        return ()


def make_default(api: Management, model: str, version: str) -> None:
    """Make a version the default, also after a restart if INKSERVE_DEFAULTS names a file.

    Raises:
        ManagementError: it is not, or only until the next restart; the message says why.
    """
    api.set_default(model, version)
    if path := os.environ.get(DEFAULTS_VARIABLE):
        try:
            Defaults(Path(path)).choose(model, version)
        except OSError as err:
            raise ManagementError(f"{model} {version} is the default until the next restart: {err}") from err
