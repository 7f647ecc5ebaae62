"""The page of `make bench`: medians, spreads, and ratios within each round."""

import argparse
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from measuring.common.results_page import provenance, spread, spread_text, table, write_json, write_page
from measuring.speed.apps.peer_recogniser import BATCH_SIZE, DELAY_MS, WORKERS
from measuring.speed.digit_requests import MODEL
from measuring.speed.peer_servers import PeerServer

Row = Mapping[str, Any]

COLUMNS = ("server", "requests/s", "ours to theirs", "p50, ms", "p99, ms", "ours to theirs", "errors", "MiB", "wrk")
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
    write_json(options.out / "bench.json", results)
    write_page(options.out / "bench.md", page_lines(results))
    return results


def summarise(name: str, ours: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Sum up a server's rounds at each number of connections, with ratios to ours in the same rounds."""
    loads = []
    for connections in sorted({row["connections"] for row in rows}):
        own = {row["round"]: row for row in rows if (row["server"], row["connections"]) == (name, connections)}
        other = {row["round"]: row for row in rows if (row["server"], row["connections"]) == (ours, connections)}
        both = sorted(set(own) & set(other))
        figures = {
            key: spread([row[key] for row in own.values()])
            for key in ("requests_per_s", "p50_ms", "p99_ms", "memory_mib", "generator_cpu")
        }
        ratios = {
            f"ours_{key}_ratio": spread([other[i][key] / own[i][key] for i in both])
            for key in ("requests_per_s", "p50_ms", "p99_ms")
        }
        errors = sum(row["errors"] for row in own.values())
        loads.append({"connections": connections, "errors": errors} | figures | ratios)
    return {"name": name, "loads": loads}


def page_lines(results: Mapping[str, Any]) -> list[str]:
    """Return bench.md."""
    lines = [INTRODUCTION.format(**results, **results["settings"], **results["machine"])]
    for connections in [load["connections"] for load in results["servers"][0]["loads"]]:
        rows = [table_row(server, connections) for server in results["servers"]]
        lines += [f"## {connections} connection{'s' * (connections > 1)}", "", *table(COLUMNS, rows), ""]
    lines += [f"- {name} did not run: {why}" for name, why in results["not_run"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return [*lines, f"Versions: {versions}."]


def table_row(server: Mapping[str, Any], connections: int) -> Sequence[str]:
    """Return a server's results at a number of connections."""
    load = next(each for each in server["loads"] if each["connections"] == connections)
    return [
        server["name"],
        spread_text(load["requests_per_s"], "{:,.0f}".format),
        spread_text(load["ours_requests_per_s_ratio"], "{:.2f}".format),
        spread_text(load["p50_ms"], "{:.1f}".format),
        spread_text(load["p99_ms"], "{:.1f}".format),
        spread_text(load["ours_p99_ms_ratio"], "{:.2f}".format),
        f"{load['errors']:,}",
        f"{load['memory_mib']['median']:,.0f}",
        f"{load['generator_cpu']['median']:.2f}",
    ]
