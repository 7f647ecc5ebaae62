"""Throughput and latency by batch size and batch delay: `python -m measuring.speed.batch_settings`.

One TorchServe; for each setting, an archive of `digits` with it is loaded, measured and unloaded again, round by round.
Writes docs/results/batching.md, batching.json and batching.png. Needs wrk and MNIST.
"""

import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
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
from measuring.common.command_line import parser_of
from measuring.common.results_page import Row, Spread, provenance, ratios, spreads, table_of, write_results
from measuring.common.temporary_server import count_batches, predictions_url, running_stack
from measuring.common.wrk import run_wrk
from measuring.speed.digit_requests import ARCHIVE, MODEL, write_bodies_of_digits
from training.plots import draw

SIZES, DELAYS_MS = (1, 8, 16, 32, 64), (1, 2, 5)
SETTINGS = [pair for pair in product(SIZES, DELAYS_MS) if pair[0] > 1 or pair[1] == DELAYS_MS[0]]  # 1 waits for none
SHADES = ("#1e3a8a", "#2563eb", "#60a5fa")  # of the delays
WORKERS = 1
CONNECTIONS = 128
WARM_UP_S = 3
INTRODUCTION = """# Batch size and delay

`{command}` writes this page. `{model}` has {workers} worker of one thread; each of
{connections} connections sends the next 28 x 28 PNG when the last one is answered. {rounds} interleaved rounds of
{seconds} s on {processor}; median (least to largest). The mean batch is requests by batches of all rounds.
"""
COLUMNS = {
    "batch size": "{batch_size}",
    "delay, ms": "{shown_delay}",
    "requests/s": "{requests_per_s:,.0f}",
    "to batch size 1": "{to_size_1:.2f}",
    "p50, ms": "{p50_ms:.0f}",
    "p99, ms": "{p99_ms:.0f}",
    "mean batch": "{mean_batch:.1f}",
    "errors": "{errors:,}",
}


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
    alone = [row for row in rows if row["batch_size"] == 1]
    found: list[Row] = []
    for size, delay in SETTINGS:
        own = [row for row in rows if (row["batch_size"], row["delay_ms"]) == (size, delay)]
        answers, batches, errors = (sum(row[key] for row in own) for key in ("answers", "batches", "errors"))
        facts = {"batch_size": size, "delay_ms": delay, "errors": errors, "mean_batch": answers / max(1, batches)}
        to_size_1 = Spread(ratios(own, alone, "requests_per_s"))
        found.append(facts | spreads(own, "requests_per_s", "p50_ms", "p99_ms") | {"to_size_1": to_size_1})
    return found


def draw_table(rows: Sequence[Row], path: Path) -> Path:
    """Draw throughput and p99 by batch size, a line for each delay."""

    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, 2)
        titles = {"requests_per_s": "requests/s", "p99_ms": "99th percentile of latency, ms"}
        for axes, (key, title) in zip(panels, titles.items(), strict=True):
            for delay, shade in zip(DELAYS_MS, SHADES, strict=True):
                own = [row for row in rows if row["batch_size"] == 1 or row["delay_ms"] == delay]
                sizes = [str(row["batch_size"]) for row in own]
                axes.plot(sizes, [row[key]["median"] for row in own], "o-", color=shade, label=f"delay {delay} ms")
            axes.set(title=title, xlabel="batch size", ylim=(0, None))
        panels[0].legend(frameon=False)

    return draw(path, (9, 3.6), paint)


def write_report(options: Namespace, rows: Sequence[Row]) -> str:
    """Write the page with its record and chart, and return it."""
    facts = provenance("python -m measuring.speed.batch_settings")
    facts |= {"model": MODEL, "workers": WORKERS, "connections": CONNECTIONS}
    facts |= {"rounds": options.rounds, "seconds": options.seconds}
    summary = summarise(rows)
    draw_table(summary, options.out / "batching.png")
    shown = [{**row, "shown_delay": row["delay_ms"] if row["batch_size"] > 1 else ""} for row in summary]
    lines = [INTRODUCTION.format(**facts), *table_of(COLUMNS, shown), "", "![Throughput and latency](batching.png)"]
    return write_results(options.out / "batching", facts | {"settings": summary, "rows": list(rows)}, lines)


def main() -> int:
    """Run from the command line."""
    options = parser_of("measuring.speed.batch_settings", __doc__, rounds=3, seconds=4).parse_args()
    rows: list[Row] = []
    os.environ["TS_ENABLE_MODEL_API"] = "true"  # off by default: here, archives are loaded while it runs
    with tempfile.TemporaryDirectory() as name, running_stack(ARCHIVE) as stack:
        bodies = write_bodies_of_digits(Path(name) / "bodies")
        packed = {each: archive(*each, Path(name)) for each in SETTINGS}
        turns = [(number, each) for number in range(options.rounds) for each in SETTINGS]
        for number, (size, delay) in tqdm(turns, unit="setting", disable=None):
            found = measure(stack, packed[size, delay], bodies, options.seconds)
            rows.append({"round": number, "batch_size": size, "delay_ms": delay} | found)
    print(write_report(options, rows))
    return 0


if __name__ == "__main__":
    sys.exit(run("batch_settings", main))
