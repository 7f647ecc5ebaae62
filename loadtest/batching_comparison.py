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

from matplotlib.figure import Figure

from deploy.local.settings import ROOT
from deploy.local.stack import Stack
from inkserve.command import INTERRUPTED
from inkserve.versions import ARCHIVE, versions_in
from loadtest import locust_run
from loadtest.locust_run import LoadTestError, read_failures, read_loads
from loadtest.target_server import describe_machine, describe_server, read_version
from measuring.common.altered_archives import alter_archive
from measuring.common.results_page import Spread, spread, spread_text, table, write_json, write_page
from measuring.common.temporary_server import count_batches, running_stack
from training.plots import ACCENT, INK, draw

Row = Mapping[str, Any]

ON, OFF = "on", "off"
WARM_UP = {"users": 16, "seconds": 5}  # for Java's compiler
INTRODUCTION = """# Load test: compare

`make loadtest SHAPE=compare` writes this page. {model} with {workers} is served twice: with
batches of up to {batch_size} requests and a batch delay of {batch_delay_ms} ms, and with a batch size of 1. Each of
Locust's users sends the next of our {pictures} when the last one is answered (a closed loop). {rounds} interleaved
rounds; median (least to largest); ratios are within a round. {machine}.
"""
COLUMNS = ("users", "requests/s, batches on", "off", "on to off", "p99 on, ms", "p99 off, ms", "answers on, off")


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
    write_json(options.out / "compare.json", facts | {"rows": rows})
    draw_chart(rows, options.out / "compare.png")
    print(write_page(options.out / "compare.md", page_lines(facts, rows)))
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
    version = {read_version(stack.settings.url("INFERENCE_PORT"), options.model) for stack in stacks.values()}.pop()
    on, off = (
        describe_server(stacks[which].settings.url("MANAGEMENT_PORT"), options.model, version) for which in (ON, OFF)
    )
    if on is None or off is None or off.batch_size != 1:
        raise LoadTestError(
            f"the servers describe themselves as {on} and {off}; wanted a batch size of 1 in the second"
        )
    return {
        "model": f"{options.model} {version}",
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


def select(rows: Sequence[Row], which: str, users: int) -> dict[int, Row]:
    """Return the rows of one server and number of users, by round."""
    return {row["round"]: row for row in rows if (row["which"], row["users"]) == (which, users)}


def ratios(rows: Sequence[Row], users: int) -> Spread:
    """Return requests/s with batches to requests/s without, within rounds."""
    on, off = select(rows, ON, users), select(rows, OFF, users)
    return spread([on[i]["requests_per_s"] / off[i]["requests_per_s"] for i in sorted(set(on) & set(off))])


def users_of(rows: Sequence[Row]) -> Sequence[int]:
    """Return the numbers of users."""
    return sorted({row["users"] for row in rows})


def runs_of(rows: Sequence[Row]) -> Sequence[Row]:
    """Return one row of each round and server: what the server counts is the same in all of them."""
    return list({(row["round"], row["which"]): row for row in rows}.values())


def mean_batch(rows: Sequence[Row], which: str) -> float:
    """Return the mean number of requests in a batch of a server, as its workers counted."""
    runs = [row for row in runs_of(rows) if row["which"] == which]
    return sum(row["counted_requests"] for row in runs) / max(1, sum(row["counted_batches"] for row in runs))


def page_lines(facts: Mapping[str, Any], rows: Sequence[Row]) -> Sequence[str]:
    """Return the page, in Markdown."""
    rounds = len({row["round"] for row in rows})
    most = max(users_of(rows))
    ratio = spread_text(ratios(rows, most), "{:.2f}".format)
    cores = spread_text(spread([row["locust_cores"] for row in rows]), "{:.2f}".format)
    failed = sum(count for row in runs_of(rows) for count in row["failures"].values())
    return [
        INTRODUCTION.format(**facts, rounds=rounds),
        *table(COLUMNS, [table_row(rows, users) for users in users_of(rows)]),
        "",
        f"With {most} users, batches multiply the requests/s by {ratio}. The mean batch of all loads was",
        f"{mean_batch(rows, ON):.1f} requests with batches, {mean_batch(rows, OFF):.1f} without; {failed:,} requests "
        f"failed. Locust used {cores}",
        "cores of the same machine.",
        "",
        "![Throughput and 99th percentile by users, with batches and without](compare.png)",
        *([] if facts["complete"] else ["", "Interrupted before its end."]),
    ]


def table_row(rows: Sequence[Row], users: int) -> Sequence[str]:
    """Return the results with one number of users."""
    both = [list(select(rows, which, users).values()) for which in (ON, OFF)]
    rates = [spread_text(spread([row["requests_per_s"] for row in own]), "{:,.0f}".format) for own in both]
    times = [spread_text(spread([row["p99_ms"] for row in own]), "{:,.0f}".format) for own in both]
    answers = ", ".join(f"{sum(row['answers'] for row in own):,}" for own in both)
    return [str(users), *rates, spread_text(ratios(rows, users), "{:.2f}".format), *times, answers]


def draw_chart(rows: Sequence[Row], path: Path) -> Path:
    """Draw requests/s and p99 by users."""
    return draw(path, (9, 3.6), lambda figure: paint(figure, rows))


def paint(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw medians, with bars from the least to the largest of the rounds."""
    users = users_of(rows)
    styles = {ON: ("batches on", "o-", ACCENT), OFF: ("batches off (batch size 1)", "s--", INK)}
    titles = {"requests_per_s": "requests/s", "p99_ms": "99th percentile of latency, ms"}
    panels = figure.subplots(1, 2)
    for axes, (key, title) in zip(panels, titles.items(), strict=True):
        for which, (label, style, colour) in styles.items():
            found = [spread([row[key] for row in select(rows, which, each).values()]) for each in users]
            middle = [each["median"] for each in found]
            below = [each["median"] - each["least"] for each in found]
            above = [each["largest"] - each["median"] for each in found]
            axes.errorbar(range(len(users)), middle, [below, above], fmt=style, color=colour, label=label, capsize=3)
        axes.set(title=title, xlabel="users, each with one request at a time", ylim=(0, None))
        axes.set_xticks(range(len(users)), [str(each) for each in users])
    panels[0].legend(frameon=False)
