"""The page of `make bench`: medians, spreads, and ratios within each round."""

import argparse
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from measuring.common.results_page import Row, Spread, provenance, ratios, spreads, table_of, write_results
from measuring.speed.apps.peer_recogniser import BATCH_SIZES, DELAY_MS, WORKERS
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

`{command}` writes this page. Each server has the same {model} weights, preprocessing and answers, {workers} processes
of one torch thread, and, where it batches, batches of up to {batch_sizes[onnx]} with our runtime and of up to
{batch_sizes[torch]} with plain torch, after at most {delay_ms} ms. A request is one picture, sent by wrk from the
same machine ({processor}, {cores} cores): a frame, which is a 28 x 28 PNG of MNIST's test set; a drawing of 320 x 320
px; a crop of 60 x 60 px from paper with lines, boxes or shadows; or a photograph of 12 megapixels of such paper. All
servers run and are warmed up, and each load goes to one after the other: {rounds} interleaved rounds of {seconds} s;
median (least to largest). Ratios are within a round: they can be compared between machines, the other figures cannot.
"""
KIND_COLUMNS = {
    "pictures": "{pictures}",
    "requests/s": "{requests_per_s:,.0f}",
    "to those of frames": "{to_frames:.2f}",
}
COMPARED_AT = 64  # connections at which all kinds of pictures are sent


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
        "settings": {"model": MODEL, "workers": WORKERS, "batch_sizes": BATCH_SIZES, "delay_ms": DELAY_MS},
        "rounds": options.rounds,
        "seconds": options.seconds,
        "not_run": dict(not_run),
        "servers": [summarise(each.name, servers[0].name, rows) for each in ran],
        "rows": list(rows),
    }
    write_results(options.out / "bench", results, page_lines(results))
    return results


def summarise(name: str, ours: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Sum up the rounds of a server at each load, with ratios to ours and to those of frames in the same rounds."""
    loads = []
    for kind, connections in dict.fromkeys((row["pictures"], row["connections"]) for row in rows):
        own, other, frames = (
            [
                row
                for row in rows
                if (row["server"], row["pictures"], row["connections"]) == (server, pictures, connections)
            ]
            for server, pictures in ((name, kind), (ours, kind), (name, "frames"))
        )
        compared = ("requests_per_s", "p50_ms", "p99_ms")
        loads.append(
            {"pictures": kind, "connections": connections, "errors": sum(row["errors"] for row in own)}
            | spreads(own, *compared, "memory_mib", "generator_cpu")
            | {f"ours_{key}_ratio": Spread(ratios(other, own, key)) for key in compared}
            | {"to_frames": Spread(ratios(own, frames, "requests_per_s"))}
        )
    return {"name": name, "loads": loads}


def page_lines(results: Mapping[str, Any]) -> list[str]:
    """Return bench.md."""
    ours = [load for load in results["servers"][0]["loads"] if load["connections"] == COMPARED_AT]
    lines = [INTRODUCTION.format(**results, **results["settings"], **results["machine"])]
    lines += [f"## What pictures cost Inkserve, {COMPARED_AT} connections", "", *table_of(KIND_COLUMNS, ours), ""]
    for loads in zip(*(server["loads"] for server in results["servers"]), strict=True):
        rows = [load | {"name": server["name"]} for server, load in zip(results["servers"], loads, strict=True)]
        kind, count = loads[0]["pictures"], loads[0]["connections"]
        lines += [f"## {kind.capitalize()}, {count} connection{'s' * (count > 1)}", "", *table_of(COLUMNS, rows), ""]
    lines += [f"- {name} did not run: {why}" for name, why in results["not_run"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return [*lines, f"Versions: {versions}."]
