"""The dashboard's recognisers: `inkserve.client` with the little patience that an open page has.

A 503 is not sent again here, because a page tries again by itself at its next tick.
"""

from dashboard.shared.catalogue import Served
from inkserve.client import Recogniser, Split

TIMEOUT_S = (1.0, 5.0)  # connect, read: a server whose worker is dead accepts a request and never answers
PROBE_TIMEOUT_S = (0.5, 2.0)


def recogniser(served: Served) -> Recogniser:
    """Return a recogniser of the server that INKSERVE_URL names, by default the one that `make up` starts."""
    if served.shares:
        return Split(served.model, dict(served.shares), timeout_s=TIMEOUT_S, tries=1, timing=True)
    return Recogniser(served.model, version=served.version or None, timeout_s=TIMEOUT_S, tries=1, timing=True)


def fault(model: str, url: str) -> str:
    """Return why a recogniser can't answer now, or ""."""
    with Recogniser(model, url, timeout_s=PROBE_TIMEOUT_S, tries=1) as probe:
        return probe.fault()
