"""Throughput and latency with batches and without: `make loadtest SHAPE=compare`.

Two servers with the same recogniser, one with the archive's batch size, one with a batch size of 1, are loaded in turn,
round by round. Writes compare.md, compare.png and compare.json.
"""

import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from deploy.local.settings import ROOT
from deploy.local.stack import Stack
from inkserve.command import INTERRUPTED
from inkserve.versions import ARCHIVE, versions_in
from loadtest import locust_run
from loadtest.locust_run import LoadTestError, read_failures, read_loads
from loadtest.target_server import describe_machine, describe_server, read_version
from measuring.common.altered_archives import alter_archive
from measuring.common.results_page import Row, Spread, ratios, spreads, table_of, write_results
from measuring.common.temporary_server import count_batches, running_stack
from training.plots import ACCENT, INK, draw

ON, OFF = "on", "off"
WARM_UP = {"users": 16, "seconds": 5}  # for Java's compiler
INTRODUCTION = """# Load test: compare

`make loadtest SHAPE=compare` writes this page. {model} with {workers} is served twice: with
batches of up to {batch_size} requests and a batch delay of {batch_delay_ms} ms, and with a batch size of 1. Each of
Locust's users sends the next of our {pictures} when the last one is answered (a closed loop). {rounds} interleaved
rounds; median (least to largest); ratios are within a round. {machine}.
"""
COLUMNS = {
    "users": "{users}",
    "requests/s, batches on": "{on[requests_per_s]:,.0f}",
    "off": "{off[requests_per_s]:,.0f}",
    "on to off": "{on_to_off:.2f}",
    "p99 on, ms": "{on[p99_ms]:,.0f}",
    "p99 off, ms": "{off[p99_ms]:,.0f}",
    "answers on, off": "{on[answers]:,}, {off[answers]:,}",
}


def compare(options: Namespace) -> int:
    """Compare and write the results; INTERRUPTED if not all rounds were run.

    Raises:
        LoadTestError: there is no archive, or Locust fails.
        StackError: a server does not start.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as open_stacks:
        on = newest_archive(options.model)
        version = on.stem.removeprefix(f"{options.model}-")
        off = alter_archive(on, Path(name), options.model, version, batchSize=1)
        stacks = {which: open_stacks.enter_context(running_stack(each)) for which, each in ((ON, on), (OFF, off))}
        facts = describe(options, stacks)
        is_complete = measure(options, stacks, Path(name), rows)
    if not rows:
        raise LoadTestError("interrupted before the first round was complete; nothing is kept")
    facts |= {"complete": is_complete}
    draw(options.out / "compare.png", (9, 3.6), lambda figure: paint(figure, rows))
    print(write_results(options.out / "compare", facts | {"rows": rows}, page_lines(facts, rows)))
    return 0 if is_complete else INTERRUPTED


def newest_archive(model: str) -> Path:
    """Return the archive of a recogniser's newest version.

    Raises:
        LoadTestError: there is none.
    """
    model_store = ROOT / "model_store"
    found = versions_in(model, model_store, endings=(ARCHIVE,))
    if not found:
        raise LoadTestError(f"no archive of {model} in {model_store}; `make archive` packs a recogniser of digits")
    return model_store / f"{model}-{found[-1]}{ARCHIVE}"


def describe(options: Namespace, stacks: Mapping[str, Stack]) -> dict[str, object]:
    """Return what the page says of the servers, after each has read a picture."""
    urls = [stacks[which].settings.url("MANAGEMENT_PORT") for which in (ON, OFF)]
    versions = [read_version(stack.settings.url("INFERENCE_PORT"), options.model) for stack in stacks.values()]
    on, off = (describe_server(url, options.model, versions[0]) for url in urls)
    if on is None or off is None or off.batch_size != 1:
        raise LoadTestError(f"the servers say they are {on} and {off}; wanted a batch size of 1 in the second")
    return {
        "model": f"{options.model} {versions[0]}",
        "batch_size": on.batch_size,
        "batch_delay_ms": on.batch_delay_ms,
        "workers": f"{len(on.workers)} worker{'s' * (len(on.workers) != 1)} of one thread",
        "pictures": options.pictures,
        "machine": describe_machine(),
    }


def measure(options: Namespace, stacks: Mapping[str, Stack], folder: Path, rows: list[Row]) -> bool:
    """Load both servers in turn, and add the results of each complete round to `rows`; False if interrupted."""
    for stack in stacks.values():
        warm = Namespace(**vars(options) | WARM_UP)
        if locust_run.measure(warm, stack.settings.url("INFERENCE_PORT"), folder / "warm-up").interrupted:
            return False
    for number in range(options.rounds):
        found: list[Row] = []
        for which in (ON, OFF) if number % 2 == 0 else (OFF, ON):
            stack, prefix = stacks[which], folder / f"{which}-{number}"
            before = count_batches(stack)
            ran = locust_run.measure(options, stack.settings.url("INFERENCE_PORT"), prefix)
            if ran.interrupted:
                return False
            counted = count_batches(stack).since(before)
            facts = {"round": number, "which": which, "locust_cores": ran.cores, "failures": read_failures(prefix)}
            facts |= {"counted_requests": counted.requests, "counted_batches": counted.batches}
            found += [facts | asdict(load) for load in read_loads(prefix)]
        rows += found
    return True


def summarise(rows: Sequence[Row], users: int) -> dict[str, Any]:
    """Sum up the rounds with one number of users: each server's spreads, and the ratios within rounds."""
    on, off = ([row for row in rows if (row["which"], row["users"]) == (which, users)] for which in (ON, OFF))
    found: dict[str, Any] = {"users": users, "on_to_off": Spread(ratios(on, off, "requests_per_s"))}
    for which, own in ((ON, on), (OFF, off)):
        found[which] = spreads(own, "requests_per_s", "p99_ms") | {"answers": sum(row["answers"] for row in own)}
    return found


def users_of(rows: Sequence[Row]) -> Sequence[int]:
    """Return the numbers of users."""
    return sorted({row["users"] for row in rows})


def runs_of(rows: Sequence[Row], *servers: str) -> Sequence[Row]:
    """Return one row of each round and server: what the server counts is the same in all of them."""
    return list({(row["round"], row["which"]): row for row in rows if row["which"] in servers}.values())


def mean_batch(rows: Sequence[Row], which: str) -> float:
    """Return the mean number of requests in a batch of a server, as its workers counted."""
    requests, batches = (sum(row[f"counted_{key}"] for row in runs_of(rows, which)) for key in ("requests", "batches"))
    return requests / max(1, batches)


def page_lines(facts: Mapping[str, Any], rows: Sequence[Row]) -> Sequence[str]:
    """Return the page, in Markdown."""
    rounds = len({row["round"] for row in rows})
    loads = [summarise(rows, users) for users in users_of(rows)]
    most, ratio = loads[-1]["users"], loads[-1]["on_to_off"]
    cores = Spread(row["locust_cores"] for row in rows)
    failed = sum(count for row in runs_of(rows, ON, OFF) for count in row["failures"].values())
    return [
        INTRODUCTION.format(**facts, rounds=rounds),
        *table_of(COLUMNS, loads),
        "",
        f"With {most} users, batches multiply the requests/s by {ratio:.2f}. The mean batch of all loads was",
        f"{mean_batch(rows, ON):.1f} requests with batches, {mean_batch(rows, OFF):.1f} without; {failed:,} requests "
        f"failed. Locust used {cores:.2f}",
        "cores of the same machine.",
        "",
        "![Throughput and 99th percentile by users, with batches and without](compare.png)",
        *([] if facts["complete"] else ["", "Interrupted before its end."]),
    ]


def paint(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw medians, with bars from the least to the largest of the rounds."""
    loads = [summarise(rows, users) for users in users_of(rows)]
    styles = {ON: ("batches on", "o-", ACCENT), OFF: ("batches off (batch size 1)", "s--", INK)}
    titles = {"requests_per_s": "requests/s", "p99_ms": "99th percentile of latency, ms"}
    panels = figure.subplots(1, 2)
    for axes, (key, title) in zip(panels, titles.items(), strict=True):
        for which, (label, style, colour) in styles.items():
            found = [each[which][key] for each in loads]
            least, middle, most = ([each[part] for each in found] for part in ("least", "median", "largest"))
            bars = [np.subtract(middle, least), np.subtract(most, middle)]
            axes.errorbar(range(len(loads)), middle, bars, fmt=style, color=colour, label=label, capsize=3)
        axes.set(title=title, xlabel="users, each with one request at a time", ylim=(0, None))
        axes.set_xticks(range(len(loads)), [str(each["users"]) for each in loads])
    panels[0].legend(frameon=False)
