"""What the rounds come to: medians, spreads, and ratios within each round."""

import argparse
import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from measuring.speed.apps.recogniser import BATCH_SIZE, DELAY_MS, WORKERS
from measuring.speed.peers import MODEL, Contestant
from training.provenance import commit, processor

Row = Mapping[str, Any]

INTRODUCTION = """# Our server and its peers

`{command}`, which writes this page: the same {model} weights, preprocessing and answers behind each server,
{workers} processes of one torch thread, batches of up to {batch_size} that wait for {delay_ms} ms at most, where a
server batches. One 28 x 28 PNG of MNIST's test set a request, sent by wrk from the same machine ({processor},
{cores} cores). {rounds} interleaved rounds of {seconds} s each; median (least to largest). Ratios are ours to theirs
within a round: they can be compared between machines, the other figures cannot.
"""


def write_report(
    options: argparse.Namespace, chosen: Sequence[Contestant], excuses: Mapping[str, str], rows: Sequence[Row]
) -> dict[str, Any]:
    """Write bench.json and bench.md, and return what the first holds."""
    ours = chosen[0].name
    results = {
        "command": "make bench",
        "commit": commit(),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "kernel": platform.release()},
        "versions": {"python": platform.python_version(), "torch": torch.__version__}
        | {each.package: each.version() for each in chosen if each.name not in excuses},
        "settings": {"model": MODEL, "workers": WORKERS, "batch_size": BATCH_SIZE, "delay_ms": DELAY_MS},
        "rounds": options.rounds,
        "seconds": options.seconds,
        "not_run": dict(excuses),
        "servers": [summarise(each.name, ours, rows) for each in chosen if each.name not in excuses],
        "rows": list(rows),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(results, indent=1) + "\n")
    (options.out / "bench.md").write_text(page(results))
    return results


def summarise(name: str, ours: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Sum up a server's rounds at each number of connections, and how ours compares in the same rounds."""
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


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, least and largest."""
    return {"median": statistics.median(values), "least": min(values), "largest": max(values)}


def text(value: Mapping[str, float], form: Callable[[float], str]) -> str:
    """Write a median with its spread."""
    return f"{form(value['median'])} ({form(value['least'])} to {form(value['largest'])})"


def page(results: Mapping[str, Any]) -> str:
    """Write bench.md."""
    settings, machine = results["settings"], results["machine"]
    lines = [INTRODUCTION.format(**results, **settings, **machine)]
    for connections in [load["connections"] for load in results["servers"][0]["loads"]]:
        lines += [
            f"## {connections} connection{'s' * (connections > 1)}",
            "",
            "| server | requests/s | ours to theirs | p50, ms | p99, ms | ours to theirs | errors | MiB | wrk |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for server in results["servers"]:
            load = next(each for each in server["loads"] if each["connections"] == connections)
            cells = [
                server["name"],
                text(load["requests_per_s"], "{:,.0f}".format),
                text(load["ours_requests_per_s_ratio"], "{:.2f}".format),
                text(load["p50_ms"], "{:.1f}".format),
                text(load["p99_ms"], "{:.1f}".format),
                text(load["ours_p99_ms_ratio"], "{:.2f}".format),
                f"{load['errors']:,}",
                f"{load['memory_mib']['median']:,.0f}",
                f"{load['generator_cpu']['median']:.2f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    lines += [f"- {name} did not run: {why}" for name, why in results["not_run"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return "\n".join([*lines, f"Versions: {versions}.", ""])


def print_summary(results: Mapping[str, Any]) -> None:
    """Print requests/s and ratios."""
    for server in results["servers"]:
        for load in server["loads"]:
            print(
                f"{server['name']:20} {load['connections']:4} connections: "
                f"{text(load['requests_per_s'], '{:,.0f}'.format)} requests/s, p50 {load['p50_ms']['median']:.1f} ms, "
                f"p99 {load['p99_ms']['median']:.1f} ms, {load['errors']} errors; "
                f"ours to theirs {text(load['ours_requests_per_s_ratio'], '{:.2f}'.format)}"
            )
    for name, why in results["not_run"].items():
        print(f"{name} did not run: {why}")
