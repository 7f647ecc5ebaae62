"""Where the dashboard sends pictures: a version of a recogniser, its default version, or a split between versions."""

from dataclasses import dataclass
from typing import Self

from inkserve import Recogniser, Split
from inkserve.management import ModelVersion

PAGE_MODEL = "reader"  # reads pages; all others read one character a picture
TIMEOUT_S = (1.0, 5.0)  # connect, read: a server whose worker is dead accepts a request and never answers


@dataclass(frozen=True)
class Endpoint:
    """What a picture is sent to.

    Attributes:
        model: name of the recogniser.
        version: MAJOR.MINOR, or "" for the default version, and for a split.
        is_default: whether it answers requests that name no version.
        shares: for a split, its versions with their shares of all pictures, in [0, 1].
    """

    model: str
    version: str
    is_default: bool = True
    shares: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, version: ModelVersion) -> Self:
        """Return the endpoint of a loaded version."""
        return cls(version.model, version.version, version.is_default)

    @property
    def reads_pages(self) -> bool:
        """Whether its answers are pages."""
        return self.model == PAGE_MODEL

    def __str__(self) -> str:
        shares = " and ".join(f"{version} ({share:.0%})" for version, share in self.shares)
        return f"{self.model} {self.version or shares}".strip()


FALLBACK = Endpoint("digits", "")  # loaded by `make up`; used while the management API does not answer


def recogniser(endpoint: Endpoint) -> Recogniser:
    """Return a client of an endpoint. It sends each request once, because an open page retries every second."""
    if endpoint.shares:
        return Split(endpoint.model, dict(endpoint.shares), timeout_s=TIMEOUT_S, tries=1, timing=True)
    return Recogniser(endpoint.model, version=endpoint.version or None, timeout_s=TIMEOUT_S, tries=1, timing=True)
