"""Throughput and latency by batch size and batch delay: `python -m measuring.speed.batch_settings`.

One TorchServe; for each setting, an archive of `digits` with it is loaded, measured and unloaded again, round by round.
Writes docs/results/batching.md, batching.json and batching.png. Needs wrk and MNIST.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from tqdm import tqdm

from deploy.local.stack import Stack
from inkserve.command import run
from inkserve.management import Management
from measuring.common.altered_archives import alter_archive
from measuring.common.results_page import RESULTS, provenance, spread, spread_text, table, write_json, write_page
from measuring.common.temporary_server import count_batches, predictions_url, running_stack
from measuring.common.wrk import run_wrk
from measuring.speed.digit_requests import ARCHIVE, MODEL, write_bodies_of_digits
from training.plots import draw

Row = Mapping[str, Any]

SIZES, DELAYS_MS = (1, 8, 32, 64, 128), (1, 2, 5, 10)
SHADES = ("#1e3a8a", "#2563eb", "#60a5fa", "#9ca3af")  # of the delays
WORKERS = 1
CONNECTIONS = 128
WARM_UP_S = 3
INTRODUCTION = """# Batch size and delay

`{command}` writes this page. `{model}` has {workers} worker of one thread; each of
{connections} connections sends the next 28 x 28 PNG when the last one is answered. {rounds} interleaved rounds of
{seconds} s on {processor}; median (least to largest). The mean batch is requests by batches of all rounds.
"""
COLUMNS = ("batch size", "delay, ms", "requests/s", "to batch size 1", "p50, ms", "p99, ms", "mean batch", "errors")


def settings() -> list[tuple[int, int]]:
    """Return batch sizes with delays; the delay has no effect with a batch size of 1."""
    return [pair for pair in product(SIZES, DELAYS_MS) if pair[0] > 1 or pair[1] == DELAYS_MS[0]]


def archive(size: int, delay_ms: int, folder: Path) -> Path:
    """Make an archive of `digits` with a batch size and a delay."""
    own = folder / f"{size}-{delay_ms}"
    own.mkdir()
    return alter_archive(ARCHIVE, own, MODEL, "1.0", batchSize=size, maxBatchDelay=delay_ms)


def measure(stack: Stack, packed: Path, bodies: Path, seconds: int) -> dict[str, Any]:
    """Load an archive in place of the last one, and measure it."""
    name = f"{packed.parent.name}.mar"
    (stack.settings.model_store / name).write_bytes(packed.read_bytes())
    with Management(stack.settings.url("MANAGEMENT_PORT")) as management:
        management.unload(MODEL, "1.0")
        management.load(name, WORKERS)
    url = predictions_url(stack, MODEL)
    run_wrk(url, bodies, False, CONNECTIONS, WARM_UP_S)
    before = count_batches(stack)
    load = run_wrk(url, bodies, False, CONNECTIONS, seconds)
    return asdict(load) | {"batches": count_batches(stack).since(before).batches}


def summarise(rows: Sequence[Row]) -> list[Row]:
    """Sum up the rounds of each setting."""
    alone = {row["round"]: row["requests_per_s"] for row in rows if row["batch_size"] == 1}
    found: list[Row] = []
    for size, delay in settings():
        own = [row for row in rows if (row["batch_size"], row["delay_ms"]) == (size, delay)]
        figures = {key: spread([row[key] for row in own]) for key in ("requests_per_s", "p50_ms", "p99_ms")}
        found.append(
            {"batch_size": size, "delay_ms": delay, "errors": sum(row["errors"] for row in own)}
            | figures
            | {
                "to_size_1": spread([row["requests_per_s"] / alone[row["round"]] for row in own]),
                "mean_batch": sum(row["answers"] for row in own) / max(1, sum(row["batches"] for row in own)),
            }
        )
    return found


def draw_table(rows: Sequence[Row], path: Path) -> Path:
    """Draw throughput and p99 by batch size, a line for each delay."""

    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, 2)
        for axes, key, title in zip(
            panels, ("requests_per_s", "p99_ms"), ("requests/s", "99th percentile of latency, ms"), strict=True
        ):
            for delay, shade in zip(DELAYS_MS, SHADES, strict=True):
                own = [row for row in rows if row["batch_size"] == 1 or row["delay_ms"] == delay]
                sizes = [str(row["batch_size"]) for row in own]
                axes.plot(sizes, [row[key]["median"] for row in own], "o-", color=shade, label=f"delay {delay} ms")
            axes.set(title=title, xlabel="batch size", ylim=(0, None))
        panels[0].legend(frameon=False)

    return draw(path, (9, 3.6), paint)


def write_report(options: argparse.Namespace, rows: Sequence[Row]) -> str:
    """Write the page with its record and chart, and return it."""
    facts = provenance("python -m measuring.speed.batch_settings")
    facts |= {"model": MODEL, "workers": WORKERS, "connections": CONNECTIONS}
    facts |= {"rounds": options.rounds, "seconds": options.seconds}
    summary = summarise(rows)
    write_json(options.out / "batching.json", facts | {"settings": summary, "rows": list(rows)})
    draw_table(summary, options.out / "batching.png")
    lines = [INTRODUCTION.format(**facts), *table(COLUMNS, map(table_row, summary))]
    return write_page(options.out / "batching.md", [*lines, "", "![Throughput and latency](batching.png)"])


def table_row(row: Row) -> Sequence[str]:
    """Return a setting as a row of the table."""
    return [
        str(row["batch_size"]),
        str(row["delay_ms"]) if row["batch_size"] > 1 else "",
        spread_text(row["requests_per_s"], "{:,.0f}".format),
        spread_text(row["to_size_1"], "{:.2f}".format),
        spread_text(row["p50_ms"], "{:.0f}".format),
        spread_text(row["p99_ms"], "{:.0f}".format),
        f"{row['mean_batch']:.1f}",
        f"{row['errors']:,}",
    ]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m measuring.speed.batch_settings",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3, help="of all settings (default: 3)")
    parser.add_argument("--seconds", type=int, default=4, help="of each load (default: 4)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder (default: docs/results)")
    options = parser.parse_args()
    rows: list[Row] = []
    os.environ["TS_ENABLE_MODEL_API"] = "true"  # off by default: here, archives are loaded while it runs
    with tempfile.TemporaryDirectory() as name, running_stack(ARCHIVE) as stack:
        bodies = write_bodies_of_digits(Path(name) / "bodies")
        packed = {each: archive(*each, Path(name)) for each in settings()}
        turns = [(number, each) for number in range(options.rounds) for each in settings()]
        for number, (size, delay) in tqdm(turns, unit="setting", disable=None):
            found = measure(stack, packed[size, delay], bodies, options.seconds)
            rows.append({"round": number, "batch_size": size, "delay_ms": delay} | found)
    print(write_report(options, rows))
    return 0


if __name__ == "__main__":
    sys.exit(run("batch_settings", main))
