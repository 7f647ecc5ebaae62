"""The page of a load test, loadtest/results/SHAPE.md."""

import argparse
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from inkserve.management import ModelVersion
from loadtest.load_shapes import PLANS
from loadtest.locust_run import KNEE_SHARE, Load, LocustExit, Row
from loadtest.objectives import missed
from loadtest.target_server import ServerFigures, describe_machine
from measuring.common.results_page import table, table_of

FULL = 0.9  # cores of each of Locust's processes; above, Locust may limit the load
WRK_CONNECTIONS = 64
TIMES = {"p50, ms": "{p50_ms:,.0f}", "p95, ms": "{p95_ms:,.0f}", "p99, ms": "{p99_ms:,.0f}"}
TOTALS = {"requests": "{name}", "count": "{requests:,}", "failures": "{failures:,}"}
TOTALS |= {"requests/s": "{requests_per_s:,.1f}", "pictures/s": "{pictures_per_s:,.1f}"} | TIMES
LOADS = {"users": "{users:,}", "answers": "{answers:,}", "requests/s": "{requests_per_s:,.0f}"} | TIMES


@dataclass(frozen=True)
class Found:
    """The results of a load test.

    Attributes:
        options: of the command line.
        version: of the recogniser.
        served: how the server serves it, where it tells.
        locust: how Locust ended.
        rows: Locust's totals, those of all requests last.
        failures: number of failures of each kind.
        loads: results with each number of users.
        knee: among `loads`.
        counted: by the server, where it has a metrics page.
        wrk: requests/s of wrk before and after the test, where asked for.
    """

    options: argparse.Namespace
    version: str
    served: ModelVersion | None
    locust: LocustExit
    rows: Sequence[Row]
    failures: Mapping[str, int]
    loads: Sequence[Load]
    knee: Load | None
    counted: ServerFigures | None
    wrk: Sequence[float] = ()


def figures(found: Found) -> Mapping[str, float]:
    """Return the figures that objectives may limit; times are of the slowest kind of request with one picture."""
    everything = found.rows[-1]
    single = [row for row in found.rows[:-1] if row.pictures == 1] or found.rows[-1:]
    return {
        "failures_share": everything.failures / everything.requests,
        "requests_per_s": everything.requests_per_s,
        "pictures_per_s": pictures_per_s(found.rows),
        "p50_ms": max(row.p50_ms for row in single),
        "p95_ms": max(row.p95_ms for row in single),
        "p99_ms": max(row.p99_ms for row in single),
    }


def pictures_per_s(rows: Sequence[Row]) -> float:
    """Return the pictures/s of all kinds of requests together."""
    return sum(row.pictures_per_s for row in rows[:-1])


def page_text(found: Found, slo: Mapping[str, float]) -> str:
    """Return the page, in Markdown."""
    parts = [head(found), totals(found.rows), failures(found.failures), served(found), steps(found)]
    misses = "\n".join(f"SLO missed: {line}." for line in missed(slo, figures(found)))
    return "\n\n".join(filter(None, [*parts, misses or "All objectives of the SLO file are met."])) + "\n"


def head(found: Found) -> str:
    """Say what was tested, when, and where."""
    options = found.options
    day = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC"
    lines = [f"# Load test: {options.shape}", *["Interrupted before its end."] * found.locust.interrupted]
    lines += [
        f"Question: {PLANS[options.shape].what}? {day}; {options.model} {found.version} at {options.host}, "
        f"{options.pictures}; {describe_machine()}."
    ]
    return "\n\n".join(lines)


def totals(rows: Sequence[Row]) -> str:
    """Return the table of all kinds of requests."""
    own = [vars(row) | {"pictures_per_s": row.pictures_per_s} for row in rows[:-1]]
    every = vars(rows[-1]) | {"name": "all", "pictures_per_s": pictures_per_s(rows)}
    return "\n".join(table_of(TOTALS, [*own, every]))


def failures(counts: Mapping[str, int]) -> str:
    """Return the table of failures, the most frequent first; "" where there are none."""
    most = sorted(counts.items(), key=lambda item: -item[1])
    return "\n".join(table(("failure", "count"), [(text, f"{count:,}") for text, count in most])) if counts else ""


def served(found: Found) -> str:
    """Say how the server is configured, what it counted, and what Locust used."""
    lines = []
    if found.served:
        size, delay_ms, workers = found.served.batch_size, found.served.batch_delay_ms, len(found.served.workers)
        lines.append(
            f"Batches of up to {size} requests, batch delay {delay_ms} ms, {workers} worker{'s' * (workers != 1)}."
        )
    counted = found.counted
    lines.append(
        f"The server made {counted.batches:,} batches of {counted.batch_requests:.1f} requests; a request waited "
        f"{counted.queue_ms:.1f} ms in the queue, a batch took {counted.handler_ms:.1f} ms in the handler (means)."
        if counted
        else "No metrics page was read (--metrics names it): batches and queue times are unknown."
    )
    count = found.options.workers
    limit = " and may limit the load" if found.locust.cores > FULL * count else ""
    processes = f"{count} process{'es' * (count > 1)}"
    lines.append(f"Locust, {processes}, used {found.locust.cores:.2f} cores of the machine{limit}.")
    return "\n".join(lines)


def steps(found: Found) -> str:
    """Return the table of results with each number of users, and the knee; "" where there is one number of users."""
    if len(found.loads) < 2:  # noqa: PLR2004
        return ""
    lines = table_of(LOADS, map(vars, found.loads))
    knee = found.knee
    if knee:
        lines += [
            "",
            f"Knee: {knee.users} users, {knee.requests_per_s:,.0f} requests/s, the fewest users with {KNEE_SHARE:.0%} "
            "of the highest throughput.",
        ]
    if knee and found.wrk:
        rates = " and ".join(f"{rate:,.0f}" for rate in found.wrk)
        lines.append(
            f"wrk with {WRK_CONNECTIONS} connections and the same pictures: {rates} requests/s before and after; "
            f"the knee is {knee.requests_per_s / mean(found.wrk):.2f} of their mean."
        )
    return "\n".join(lines)
