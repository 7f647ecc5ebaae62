"""The one page that says what a load test showed."""

import argparse
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.outcome import Load, Row
from loadtest.server import Counted, machine
from loadtest.shapes import PLANS
from loadtest.slo import missed

SINGLE = "ZIP"  # requests whose names begin so carry many pictures


@dataclass(frozen=True)
class Found:
    """All that came of a load test."""

    options: argparse.Namespace
    rows: Sequence[Row]
    failures: Mapping[str, int]
    loads: Sequence[Load]
    knee: Load | None
    counted: Counted | None


def figures(found: Found) -> Mapping[str, float]:
    """Return the figures that an SLO may limit; times are of the slowest kind of request with one picture."""
    everything = found.rows[-1]
    single = [row for row in found.rows[:-1] if not row.name.startswith(SINGLE)]
    return {
        "failures_share": everything.failures / everything.requests,
        "requests_per_s": everything.requests_per_s,
        "p50_ms": max(row.p50_ms for row in single),
        "p99_ms": max(row.p99_ms for row in single),
    }


def write(found: Found, slo: Mapping[str, float]) -> str:
    """Write the page, in Markdown."""
    options = found.options
    day = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"# Load test: {options.shape}", ""]
    lines += [f"To see {PLANS[options.shape].what}. {day}; {options.model} at {options.host}; {machine()}.", ""]
    lines += [
        "| requests | count | failures | requests/s | p50, ms | p95, ms | p99, ms |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [table_row(row, "all" if row is found.rows[-1] else row.name) for row in found.rows]
    if found.failures:
        lines += ["", "Failures:", "", *(f"- {count:,} times {text}" for text, count in found.failures.items())]
    if found.counted:
        counted = found.counted
        batches = f"{counted.batches:,} batches of {counted.batch_requests:.1f} requests on the mean"
        lines += ["", f"The server made {batches}; a request"]
        lines += [
            f"waited {counted.queue_ms:.1f} ms for a worker, a batch took {counted.handler_ms:.1f} ms there (means)."
        ]
    if found.knee:
        lines += ["", "| users | requests/s | p50, ms | p99, ms |", "|---|---|---|---|"]
        lines += [
            f"| {load.users} | {load.requests_per_s:,.0f} | {load.p50_ms:,.0f} | {load.p99_ms:,.0f} |"
            for load in found.loads
        ]
        knee = found.knee
        lines += [
            "",
            f"Knee: {knee.users} users, {knee.requests_per_s:,.0f} requests/s; more users bring no more answers.",
        ]
        lines += [
            "The load came from the same machine and took its share of it: see docs/performance.md for what wrk finds."
        ]
    misses = missed(slo, figures(found))
    lines += (
        ["", *(f"SLO missed: {line}." for line in misses)]
        if misses
        else ["", "All objectives of the SLO file are met."]
    )
    return "\n".join(lines) + "\n"


def table_row(row: Row, name: str) -> str:
    """Write a kind of request as a row of the table."""
    times = " | ".join(f"{time_ms:,.0f}" for time_ms in (row.p50_ms, row.p95_ms, row.p99_ms))
    return f"| {name} | {row.requests:,} | {row.failures:,} | {row.requests_per_s:,.1f} | {times} |"
