"""Which recognisers the server has, and where its archives are."""

import os
from dataclasses import dataclass
from pathlib import Path

STORE_VARIABLE = "INKSERVE_MODEL_STORE"
DEFAULT_STORE = Path(__file__).resolve().parents[2] / "model_store"
TIMEOUT_S = (0.5, 2.0)  # connect, read
PAGES = "reader"  # reads pages; all others read one character a picture


@dataclass(frozen=True)
class Served:
    """A version of a recogniser that the server has, or several that share the pictures.

    Attributes:
        model: its name.
        version: MAJOR.MINOR, or "" for the default one, or where several share.
        default: whether it answers where no version is named.
        shares: versions with their shares of all pictures, in [0, 1], where several share.
    """

    model: str
    version: str
    default: bool = True
    shares: tuple[tuple[str, float], ...] = ()

    @property
    def reads_pages(self) -> bool:
        """Whether its answers are pages."""
        return self.model == PAGES

    def __str__(self) -> str:
        shares = " and ".join(f"{version} ({share:.0%})" for version, share in self.shares)
        return f"{self.model} {self.version or shares}".strip()


def model_store() -> Path:
    """Return the folder of the server's archives: that of INKSERVE_MODEL_STORE, or DEFAULT_STORE."""
    return Path(os.environ.get(STORE_VARIABLE) or DEFAULT_STORE)
