"""The page of `make bench`: medians, spreads, and ratios within each round."""

import argparse
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from measuring.common.results_page import Row, Spread, provenance, ratios, spreads, table_of, write_results
from measuring.speed.apps.peer_recogniser import BATCH_SIZE, DELAY_MS, WORKERS
from measuring.speed.digit_requests import MODEL
from measuring.speed.peer_servers import PeerServer

COLUMNS = {
    "server": "{name}",
    "requests/s": "{requests_per_s:,.0f}",
    "requests/s, ours to theirs": "{ours_requests_per_s_ratio:.2f}",
    "p50, ms": "{p50_ms:.1f}",
    "p99, ms": "{p99_ms:.1f}",
    "p99, ours to theirs": "{ours_p99_ms_ratio:.2f}",
    "errors": "{errors:,}",
    "MiB": "{memory_mib[median]:,.0f}",
    "wrk": "{generator_cpu[median]:.2f}",
}
INTRODUCTION = """# Inkserve and other servers

`{command}` writes this page. Each server has the same {model} weights, preprocessing and answers,
{workers} processes of one torch thread, and, where it batches, batches of up to {batch_size} with a batch delay of
{delay_ms} ms. A request is one 28 x 28 PNG of MNIST's test set, sent by wrk from the same machine ({processor},
{cores} cores). {rounds} interleaved rounds of {seconds} s each; median (least to largest). Ratios are ours to theirs
within a round: they can be compared between machines, the other figures cannot.
"""


def write_report(
    options: argparse.Namespace, servers: Sequence[PeerServer], not_run: Mapping[str, str], rows: Sequence[Row]
) -> dict[str, Any]:
    """Write bench.json and bench.md, and return what the first holds."""
    ran = [each for each in servers if each.name not in not_run]
    found = provenance("make bench")
    results = {
        "command": found["command"],
        "commit": found["commit"],
        "machine": {"processor": found["processor"], "cores": os.cpu_count(), "kernel": platform.release()},
        "versions": {"python": platform.python_version(), "torch": torch.__version__}
        | {each.package: each.version() for each in ran},
        "settings": {"model": MODEL, "workers": WORKERS, "batch_size": BATCH_SIZE, "delay_ms": DELAY_MS},
        "rounds": options.rounds,
        "seconds": options.seconds,
        "not_run": dict(not_run),
        "servers": [summarise(each.name, servers[0].name, rows) for each in ran],
        "rows": list(rows),
    }
    write_results(options.out / "bench", results, page_lines(results))
    return results


def summarise(name: str, ours: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Sum up a server's rounds at each number of connections, with ratios to ours in the same rounds."""
    loads = []
    for connections in sorted({row["connections"] for row in rows}):
        own, other = (
            [row for row in rows if (row["server"], row["connections"]) == (each, connections)] for each in (name, ours)
        )
        compared = ("requests_per_s", "p50_ms", "p99_ms")
        loads.append(
            {"connections": connections, "errors": sum(row["errors"] for row in own)}
            | spreads(own, *compared, "memory_mib", "generator_cpu")
            | {f"ours_{key}_ratio": Spread(ratios(other, own, key)) for key in compared}
        )
    return {"name": name, "loads": loads}


def page_lines(results: Mapping[str, Any]) -> list[str]:
    """Return bench.md."""
    lines = [INTRODUCTION.format(**results, **results["settings"], **results["machine"])]
    for loads in zip(*(server["loads"] for server in results["servers"]), strict=True):
        rows = [load | {"name": server["name"]} for server, load in zip(results["servers"], loads, strict=True)]
        count = loads[0]["connections"]
        lines += [f"## {count} connection{'s' * (count > 1)}", "", *table_of(COLUMNS, rows), ""]
    lines += [f"- {name} did not run: {why}" for name, why in results["not_run"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return [*lines, f"Versions: {versions}."]
