"""The same load from wrk, as `make bench` makes it, to see what Locust itself costs."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from loadtest.errors import LoadTestError
from measuring.common.drawings import Picture
from measuring.common.wrk import LoadError, run_wrk, write_bodies

CONNECTIONS = 64
SECONDS = 8
WARM_UP_S = 3


def requests_per_s(url: str, pictures: Sequence[Picture]) -> float:
    """Load a server, and return what it answered.

    Raises:
        LoadTestError: wrk is missing, or failed, or not all answers were good.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            bodies = Path(folder) / "bodies"
            write_bodies([each.content for each in pictures], False, bodies)
            run_wrk(url, bodies, False, CONNECTIONS, WARM_UP_S)
            load = run_wrk(url, bodies, False, CONNECTIONS, SECONDS)
    except LoadError as err:
        raise LoadTestError(str(err)) from err
    if load.errors:
        raise LoadTestError(f"wrk counts {load.errors:,} errors in {load.answers:,} answers; wanted none")
    return load.requests_per_s
