"""Which recognisers the server has, and where its management API is."""

import os
from dataclasses import dataclass

VARIABLE = "INKSERVE_MANAGEMENT_URL"
DEFAULT_URL = "http://127.0.0.1:8081"
TIMEOUT_S = (0.5, 2.0)  # connect, read
PAGES = "reader"  # reads pages; all others read one character a picture


@dataclass(frozen=True)
class Served:
    """A version of a recogniser that the server has.

    Attributes:
        model: its name.
        version: MAJOR.MINOR, or "" for the default one.
        default: whether it answers where no version is named.
    """

    model: str
    version: str
    default: bool = True

    @property
    def reads_pages(self) -> bool:
        """Whether its answers are pages."""
        return self.model == PAGES

    def __str__(self) -> str:
        return f"{self.model} {self.version}".strip()


def management_url() -> str:
    """Return the address of the management API: that of INKSERVE_MANAGEMENT_URL, or DEFAULT_URL."""
    return (os.environ.get(VARIABLE) or DEFAULT_URL).rstrip("/")
