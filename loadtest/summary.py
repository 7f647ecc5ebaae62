"""The one page that says what a load test showed."""

import argparse
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from loadtest import wrk
from loadtest.outcome import KNEE_SHARE, Load, Row
from loadtest.running import Ran
from loadtest.server import Counted, Settings, machine
from loadtest.shapes import PLANS
from loadtest.slo import missed

FULL = 0.9  # cores of each of Locust's processes, from which on it may be what limits the load


@dataclass(frozen=True)
class Found:
    """All that came of a load test.

    Attributes:
        options: of the command line.
        version: of the recogniser.
        settings: of the server, where it told.
        ran: how Locust did.
        rows: its totals, those of all requests last.
        failures: how often each came.
        loads: what came of each number of users.
        knee: among them.
        counted: by the server, where it has a page of metrics.
        wrk: requests/s that wrk found before and after, if asked to.
    """

    options: argparse.Namespace
    version: str
    settings: Settings | None
    ran: Ran
    rows: Sequence[Row]
    failures: Mapping[str, int]
    loads: Sequence[Load]
    knee: Load | None
    counted: Counted | None
    wrk: Sequence[float] = ()


def figures(found: Found) -> Mapping[str, float]:
    """Return the figures that an SLO may limit; times are of the slowest kind of request with one picture."""
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
    """Return the pictures/s of all kinds of requests together, whose row is the last."""
    return sum(row.pictures_per_s for row in rows[:-1])


def write(found: Found, slo: Mapping[str, float]) -> str:
    """Write the page, in Markdown."""
    parts = [head(found), totals(found.rows), failures(found.failures), served(found), ramp(found)]
    misses = [f"SLO missed: {line}." for line in missed(slo, figures(found))]
    parts.append("\n".join(misses) or "All objectives of the SLO file are met.")
    return "\n\n".join(part for part in parts if part) + "\n"


def head(found: Found) -> str:
    """Say what was tested, when, and where."""
    options = found.options
    day = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"# Load test: {options.shape}", ""]
    lines += ["Interrupted before its end.", ""] if found.ran.interrupted else []
    lines += [
        f"To see {PLANS[options.shape].what}. {day}; {options.model} {found.version} at {options.host}, "
        f"{options.pictures}; {machine()}."
    ]
    return "\n".join(lines)


def totals(rows: Sequence[Row]) -> str:
    """Write the table of all kinds of requests."""
    lines = [
        "| requests | count | failures | requests/s | pictures/s | p50, ms | p95, ms | p99, ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [table_row(row, row.name, row.pictures_per_s) for row in rows[:-1]]
    return "\n".join([*lines, table_row(rows[-1], "all", pictures_per_s(rows))])


def table_row(row: Row, name: str, pictures: float) -> str:
    """Write a kind of request as a row of the table."""
    times = " | ".join(f"{time_ms:,.0f}" for time_ms in (row.p50_ms, row.p95_ms, row.p99_ms))
    return f"| {name} | {row.requests:,} | {row.failures:,} | {row.requests_per_s:,.1f} | {pictures:,.1f} | {times} |"


def failures(counts: Mapping[str, int]) -> str:
    """List what failed, by type, the most frequent first."""
    if not counts:
        return ""
    most = sorted(counts.items(), key=lambda item: -item[1])
    return "\n".join(
        ["| failure | count |", "|---|---|", *(f"| {text.replace('|', ' ')} | {count:,} |" for text, count in most)]
    )


def served(found: Found) -> str:
    """Say how the server took the load, and what the load itself took."""
    lines = []
    if found.settings:
        lines.append(
            f"Served with batches of up to {found.settings.batch_size} requests that wait for "
            f"{found.settings.batch_delay_ms} ms at most, by {found.settings.workers} "
            f"worker{'s' * (found.settings.workers != 1)}."
        )
    if found.counted:
        lines.append(
            f"The server made {found.counted.batches:,} batches of {found.counted.batch_requests:.1f} requests on the "
            f"mean; a request waited {found.counted.queue_ms:.1f} ms for a worker, a batch took "
            f"{found.counted.handler_ms:.1f} ms there (means)."
        )
    else:
        lines.append("No page of metrics was read (--metrics names it), so batches and queue times are not known.")
    count = found.options.workers
    lines.append(f"Locust, {count} process{'es' * (count > 1)}, took {found.ran.cores:.2f} cores of the machine")
    lines[-1] += ", and may be what limits the load." if found.ran.cores > FULL * count else "."
    return "\n".join(lines)


def ramp(found: Found) -> str:
    """Write what came of each number of users, and the knee where it was looked for."""
    if len(found.loads) < 2:  # noqa: PLR2004
        return ""
    lines = ["| users | answers | requests/s | p50, ms | p95, ms | p99, ms |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {load.users} | {load.answers:,} | {load.requests_per_s:,.0f} | {load.p50_ms:,.0f} | {load.p95_ms:,.0f} "
        f"| {load.p99_ms:,.0f} |"
        for load in found.loads
    ]
    knee = found.knee
    if knee is None:
        return "\n".join(lines)
    lines += [
        "",
        f"Knee: {knee.users} users, {knee.requests_per_s:,.0f} requests/s, {KNEE_SHARE:.0%} of the most or better; "
        "more users bring next to no more answers.",
    ]
    if found.wrk:
        rates = " and ".join(f"{rate:,.0f}" for rate in found.wrk)
        lines.append(
            f"wrk, {wrk.CONNECTIONS} connections and the same pictures, found {rates} requests/s before and after; "
            f"the knee is {knee.requests_per_s / mean(found.wrk):.2f} of their mean."
        )
    return "\n".join(lines)
