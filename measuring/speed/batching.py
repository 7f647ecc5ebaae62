"""What batch size and delay bring: `python -m measuring.speed.batching`.

One TorchServe; for each setting an archive of `digits` with it is registered, loaded and unregistered again, round by
round. Writes docs/results/batching.md, batching.json and batching.png.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path

from matplotlib.figure import Figure
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from tqdm import tqdm

from deploy.archive import pack
from deploy.local.errors import StackError
from deploy.local.settings import ROOT
from deploy.local.stack import Stack
from inkserve.client.pictures import encode, from_array
from inkserve.management import Management, ManagementError
from measuring.common.temporary_server import running_stack
from measuring.common.wrk import LoadError, run_wrk, write_bodies
from measuring.speed.peers import MODEL
from measuring.speed.speed_report import spread, text
from training.data import DataError, load_characters
from training.plots import draw
from training.provenance import commit, processor

SIZES, DELAYS_MS = (1, 8, 32, 64, 128), (1, 2, 5, 10)
WORKERS = 1  # the archive's config says one
CONNECTIONS = 128
PICTURES = 512
WARM_UP_S = 3
BATCHES = "handwriting_batch_requests_count"
INTRODUCTION = """# Batch size and delay

`python -m measuring.speed.batching`, which writes this page: `{model}` with {workers} worker of one thread, under
{connections} connections that each send the next 28 x 28 PNG when the last one is answered. {rounds} interleaved rounds
of {seconds} s on {processor}; median (least to largest). The mean batch is requests by batches of
all rounds.

| batch size | delay, ms | requests/s | to batch size 1 | p50, ms | p99, ms | mean batch | errors |
|---|---|---|---|---|---|---|---|"""


def settings() -> list[tuple[int, int]]:
    """Return batch sizes with delays; without batches there is no delay to choose."""
    return [pair for pair in product(SIZES, DELAYS_MS) if pair[0] > 1 or pair[1] == DELAYS_MS[0]]


def archive(size: int, delay_ms: int, folder: Path) -> Path:
    """Pack `digits` with a batch size and a delay."""
    config = (ROOT / "config" / f"{MODEL}.yaml").read_text()
    config = re.sub(r"(?m)^batchSize: \d+", f"batchSize: {size}", config)
    config = re.sub(r"(?m)^maxBatchDelay: \d+", f"maxBatchDelay: {delay_ms}", config)
    place = folder / f"{size}-{delay_ms}"
    place.mkdir()
    path = place / f"{MODEL}.yaml"
    path.write_text(config)
    return pack(ROOT / "weights" / f"{MODEL}-1.0.safetensors", place, config=path)


def measure(stack: Stack, packed: Path, bodies: Path, seconds: int) -> dict:
    """Register an archive in the model's place, and load it."""
    name = f"{packed.parent.name}.mar"
    (stack.settings.model_store / name).write_bytes(packed.read_bytes())
    with Management(stack.settings.url("MANAGEMENT_PORT")) as management:
        management.unload(MODEL, "1.0")
        management.load(name, WORKERS)
    url = f"{stack.settings.url('INFERENCE_PORT')}/predictions/{MODEL}"
    run_wrk(url, bodies, False, CONNECTIONS, WARM_UP_S)
    before = count_batches(stack.settings.metrics)
    load = run_wrk(url, bodies, False, CONNECTIONS, seconds)
    return asdict(load) | {"batches": count_batches(stack.settings.metrics) - before}


def count_batches(folder: Path) -> int:
    """Return how many batches the workers have counted so far."""
    families = MultiProcessCollector(CollectorRegistry(), str(folder)).collect()
    return int(sum(each.value for family in families for each in family.samples if each.name == BATCHES))


def summarise(rows: Sequence[dict]) -> list[dict]:
    """Sum up the rounds of each setting."""
    alone = {row["round"]: row["requests_per_s"] for row in rows if row["batch_size"] == 1}
    found = []
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


def draw_table(rows: Sequence[dict], path: Path) -> Path:
    """Draw throughput and p99 by batch size, a line for each delay."""

    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, 2)
        for axes, key, title in zip(
            panels, ("requests_per_s", "p99_ms"), ("requests/s", "99th percentile of latency, ms"), strict=True
        ):
            for delay, shade in zip(DELAYS_MS, ("#1e3a8a", "#2563eb", "#60a5fa", "#9ca3af"), strict=True):
                own = [row for row in rows if row["batch_size"] == 1 or row["delay_ms"] == delay]
                sizes = [str(row["batch_size"]) for row in own]
                axes.plot(sizes, [row[key]["median"] for row in own], "o-", color=shade, label=f"delay {delay} ms")
            axes.set(title=title, xlabel="batch size", ylim=(0, None))
        panels[0].legend(frameon=False)

    return draw(path, (9, 3.6), paint)


def main() -> int:
    """Run from the command line; 1 if something that is needed is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of all settings (default: 3)")
    parser.add_argument("--seconds", type=int, default=4, help="of each load (default: 4)")
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="folder (default: docs/results)")
    options = parser.parse_args()
    rows = []
    os.environ["TS_ENABLE_MODEL_API"] = "true"  # off by default: only here are archives registered while it runs
    try:
        images = load_characters("mnist", "test").images[:PICTURES]
        with tempfile.TemporaryDirectory() as name, running_stack(ROOT / "model_store" / f"{MODEL}-1.0.mar") as stack:
            bodies = Path(name) / "bodies"
            write_bodies([encode(from_array(image)) for image in images], False, bodies)
            packed = {each: archive(*each, Path(name)) for each in settings()}
            turns = [(number, each) for number in range(options.rounds) for each in settings()]
            for number, (size, delay) in tqdm(turns, unit="setting", disable=None):
                found = measure(stack, packed[size, delay], bodies, options.seconds)
                rows.append({"round": number, "batch_size": size, "delay_ms": delay} | found)
    except (DataError, LoadError, ManagementError, StackError) as err:
        print(f"batching: {err}", file=sys.stderr)
        return 1
    write_report(options, rows)
    return 0


def write_report(options: argparse.Namespace, rows: Sequence[dict]) -> None:
    """Write and print the table."""
    facts = {"model": MODEL, "workers": WORKERS, "connections": CONNECTIONS, "processor": processor()}
    facts |= {"rounds": options.rounds, "seconds": options.seconds}
    summary = summarise(rows)
    results = facts | {
        "command": "python -m measuring.speed.batching",
        "commit": commit(),
        "settings": summary,
        "rows": rows,
    }
    (options.out / "batching.json").write_text(json.dumps(results, indent=1) + "\n")
    lines = [INTRODUCTION.format(**facts)]
    for row in summary:
        cells = [
            str(row["batch_size"]),
            str(row["delay_ms"]) if row["batch_size"] > 1 else "",
            text(row["requests_per_s"], "{:,.0f}".format),
            text(row["to_size_1"], "{:.2f}".format),
            text(row["p50_ms"], "{:.0f}".format),
            text(row["p99_ms"], "{:.0f}".format),
            f"{row['mean_batch']:.1f}",
            f"{row['errors']:,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1])
    (options.out / "batching.md").write_text("\n".join([*lines, "", "![Throughput and latency](batching.png)", ""]))
    draw_table(summary, options.out / "batching.png")


if __name__ == "__main__":
    sys.exit(main())
