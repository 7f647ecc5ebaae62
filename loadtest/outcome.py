"""What Locust has written down: totals, failures, and the knee."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import LoadTestError
from loadtest.shapes import SETTLING_S

TOTAL = "Aggregated"
KNEE_SHARE = 0.95  # of the most requests/s
ZIP = "ZIP of "  # begins the names of requests with many pictures, before their number


@dataclass(frozen=True)
class Row:
    """What came of one kind of request, or of all.

    Attributes:
        name: of the kind.
        requests: answered or failed.
        failures: of them.
        requests_per_s: on the mean.
        p50_ms: median time of a request.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
    """

    name: str
    requests: int
    failures: int
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def pictures(self) -> int:
        """How many pictures each request carried."""
        return int(self.name.removeprefix(ZIP)) if self.name.startswith(ZIP) else 1

    @property
    def pictures_per_s(self) -> float:
        """Pictures that were answered; a request that failed counts for none."""
        answered = (self.requests - self.failures) / self.requests if self.requests else 0.0
        return self.pictures * answered * self.requests_per_s


@dataclass(frozen=True)
class Load:
    """What came of a number of users.

    Attributes:
        users: at the same time.
        answers: that were counted.
        requests_per_s: answered.
        p50_ms: median time of a request.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
    """

    users: int
    answers: int
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def read_rows(prefix: Path) -> Sequence[Row]:
    """Read Locust's totals, those of all requests last.

    Raises:
        LoadTestError: there are none.
    """
    rows = [
        Row(
            each["Name"],
            int(each["Request Count"]),
            int(each["Failure Count"]),
            float(each["Requests/s"]),
            *(
                float(each[percentile]) if each[percentile] != "N/A" else float("nan")
                for percentile in ("50%", "95%", "99%")
            ),
        )
        for each in read_table(prefix, "stats")
    ]
    if not rows or not rows[-1].requests:
        raise LoadTestError("no request was made: is the address right, and does the server run?")
    return rows


def read_failures(prefix: Path) -> Mapping[str, int]:
    """Read how often each failure came."""
    failures: dict[str, int] = {}
    for each in read_table(prefix, "failures"):
        failures[each["Error"]] = failures.get(each["Error"], 0) + int(each["Occurrences"])
    return failures


def read_loads(prefix: Path) -> Sequence[Load]:
    """Read what came of each number of users, in the order of the test, the seconds of its start left out."""
    found: list[list[dict[str, str]]] = []
    for each in read_table(prefix, "stats_history"):
        if each["Name"] != TOTAL or each["User Count"] == "0":
            continue
        if not found or found[-1][0]["User Count"] != each["User Count"]:
            found.append([])
        found[-1].append(each)
    return [measure(rows) for rows in found if len(rows) > SETTLING_S + 1]


def measure(rows: Sequence[Mapping[str, str]]) -> Load:
    """Sum up the seconds of one number of users after SETTLING_S; the percentiles are Locust's, of the same seconds."""
    first, last = rows[SETTLING_S], rows[-1]
    answered = good(last) - good(first)
    elapsed_s = int(last["Timestamp"]) - int(first["Timestamp"])
    times_ms = (float(last[percentile]) for percentile in ("50%", "95%", "99%"))
    return Load(int(last["User Count"]), answered, answered / elapsed_s, *times_ms)


def good(row: Mapping[str, str]) -> int:
    """Count the requests of a row that did not fail."""
    return int(row["Total Request Count"]) - int(row["Total Failure Count"])


def find_knee(loads: Sequence[Load]) -> Load | None:
    """Find the fewest users that bring KNEE_SHARE of the most requests/s; None where there was one number of users."""
    if len(loads) < 2:  # noqa: PLR2004
        return None
    most = max(load.requests_per_s for load in loads)
    return next(load for load in loads if load.requests_per_s >= KNEE_SHARE * most)


def read_table(prefix: Path, name: str) -> Sequence[dict[str, str]]:
    """Read one of Locust's CSV files.

    Raises:
        LoadTestError: it has written none.
    """
    try:
        with Path(f"{prefix}_{name}.csv").open(newline="") as file:
            return list(csv.DictReader(file))
    except OSError as err:
        raise LoadTestError(f"locust has written no {prefix.name}_{name}.csv") from err
