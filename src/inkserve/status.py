"""Whether a server is up, and whether each recogniser on it is ready."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from inkserve.client.connection import Server
from inkserve.client.exceptions import ServerDown
from inkserve.management import Management, ManagementError, ModelVersion

TIMEOUT_S = (2.0, 10.0)  # connect, read
COLUMNS = ("recogniser", "version", "default", "workers", "waiting", "state")


@dataclass(frozen=True)
class Status:
    """The state of a server.

    Attributes:
        url: address of the inference API.
        is_up: whether anything answers there.
        management_url: address of the management API.
        management_fault: why that does not answer, or "".
        versions: each loaded version, with the reason why it is not ready, or "".
    """

    url: str
    is_up: bool
    management_url: str
    management_fault: str
    versions: Sequence[tuple[ModelVersion, str]]

    @property
    def is_ready(self) -> bool:
        """Whether all loaded versions answer, with all their workers."""
        return self.is_up and bool(self.versions) and not any(fault for _, fault in self.versions)

    def lines(self) -> Iterator[str]:
        """Return the state as lines for people."""
        yield f"server      {self.url}  {'up' if self.is_up else 'does not answer'}"
        yield f"management  {self.management_url}  {self.management_fault or 'up'}"
        rows = [COLUMNS] if self.versions else []
        for each, fault in self.versions:
            workers = f"{each.ready_workers}/{each.wanted_workers}"
            default = "yes" if each.is_default else ""
            rows.append((each.model, each.version, default, workers, str(each.waiting), fault or "ready"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    def document(self) -> dict[str, object]:
        """Return the state as a JSON object."""
        return {
            "url": self.url,
            "is_up": self.is_up,
            "management_url": self.management_url,
            "management_fault": self.management_fault,
            "is_ready": self.is_ready,
            "versions": [
                {
                    "model": each.model,
                    "version": each.version,
                    "is_default": each.is_default,
                    "ready_workers": each.ready_workers,
                    "wanted_workers": each.wanted_workers,
                    "waiting": each.waiting,
                    "batch_size": each.batch_size,
                    "batch_delay_ms": each.batch_delay_ms,
                    "memory_mib": round(each.memory_mib, 1),
                    "fault": fault,
                }
                for each, fault in self.versions
            ],
        }


def read_status(url: str | None = None, management_url: str | None = None) -> Status:
    """Ask a server how it is; each loaded version gets one picture to read.

    Args:
        url: of the inference API; by default as for `Recogniser`.
        management_url: of the management API; by default as for `Management`.
    """
    server = Server(url, TIMEOUT_S, tries=1)
    with server.http, Management(management_url, timeout_s=TIMEOUT_S) as management:
        versions: Sequence[ModelVersion] = ()
        fault = ""
        try:
            versions = management.versions()
        except ManagementError as err:
            fault = str(err)
        is_up = _is_up(server)
        states = [(each, _fault(server, each) if is_up else "the server does not answer") for each in versions]
        return Status(server.url, is_up, management.url, fault, states)


def _is_up(server: Server) -> bool:
    try:
        server.get("/ready")
    except ServerDown:
        return False
    return True


def _fault(server: Server, version: ModelVersion) -> str:
    if version.ready_workers < version.wanted_workers:
        return f"{version.ready_workers} of {version.wanted_workers} workers are ready"
    return server.fault(f"/predictions/{quote(version.model, safe='')}/{quote(version.version, safe='')}")
