"""The page and the chart that set a server with batches beside one without."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from training.plots import ACCENT, INK, draw

Row = Mapping[str, Any]
Spread = tuple[float, float, float]  # median, least, largest

ON, OFF = "on", "off"
COUNTS = {"counted_requests": "handwriting_batch_requests_sum", "counted_batches": "handwriting_batch_requests_count"}
INTRODUCTION = """# Load test: compare

`make loadtest SHAPE=compare`, which writes this page: {model}, {workers} worker of one thread, served twice: with
batches of up to {batch_size} requests that wait for {batch_delay_ms} ms at most, and with a batch size of 1. Locust's
users each send the next of our {pictures} when the last one is answered (a closed loop). {rounds} interleaved
rounds; median (least to largest); ratios are within a round. {machine}.

| users | requests/s, batches on | off | on to off | p99 on, ms | p99 off, ms | answers on, off |
|---|---|---|---|---|---|---|"""


def spread(values: Sequence[float]) -> Spread:
    """Return median, least and largest."""
    return statistics.median(values), min(values), max(values)


def text(values: Spread, form: Callable[[float], str]) -> str:
    """Write a median with its spread."""
    return f"{form(values[0])} ({form(values[1])} to {form(values[2])})"


def select(rows: Sequence[Row], which: str, users: int) -> dict[int, Row]:
    """Return the rows of one server and number of users, by round."""
    return {row["round"]: row for row in rows if (row["which"], row["users"]) == (which, users)}


def ratios(rows: Sequence[Row], users: int) -> Spread:
    """Return how many times the requests/s batches bring, within rounds."""
    on, off = select(rows, ON, users), select(rows, OFF, users)
    return spread([on[i]["requests_per_s"] / off[i]["requests_per_s"] for i in sorted(set(on) & set(off))])


def users_of(rows: Sequence[Row]) -> Sequence[int]:
    """Return the numbers of users."""
    return sorted({row["users"] for row in rows})


def mean_batch(rows: Sequence[Row], which: str) -> float:
    """Return requests by batches of all loads of a server, as its workers counted."""
    runs = {row["round"]: row for row in rows if row["which"] == which}.values()  # counted once for a round
    return sum(row["counted_requests"] for row in runs) / max(1, sum(row["counted_batches"] for row in runs))


def write_page(facts: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Write the page, in Markdown."""
    rounds = len({row["round"] for row in rows})
    lines = [INTRODUCTION.format(**facts, rounds=rounds)]
    lines += [table_row(rows, users) for users in users_of(rows)]
    most = max(users_of(rows))
    ratio = text(ratios(rows, most), "{:.2f}".format)
    cores = text(spread([row["locust_cores"] for row in rows]), "{:.2f}".format)
    failed = sum(
        count
        for row in {(row["round"], row["which"]): row for row in rows}.values()
        for count in row["failures"].values()
    )
    lines += [
        "",
        f"With {most} users, batches bring {ratio} times the requests/s. The mean batch of all loads was",
        f"{mean_batch(rows, ON):.1f} requests with batches, {mean_batch(rows, OFF):.1f} without; {failed:,} requests "
        f"failed. Locust took {cores}",
        "cores of the same machine.",
        "",
        "![Throughput and 99th percentile by users, with batches and without](compare.png)",
    ]
    if not facts["complete"]:
        lines += ["", "Interrupted before its end."]
    return "\n".join(lines) + "\n"


def table_row(rows: Sequence[Row], users: int) -> str:
    """Write what came of one number of users."""
    on, off = (list(select(rows, which, users).values()) for which in (ON, OFF))
    cells = [str(users)]
    cells += [text(spread([row["requests_per_s"] for row in own]), "{:,.0f}".format) for own in (on, off)]
    cells.append(text(ratios(rows, users), "{:.2f}".format))
    cells += [text(spread([row["p99_ms"] for row in own]), "{:,.0f}".format) for own in (on, off)]
    cells.append(", ".join(f"{sum(row['answers'] for row in own):,}" for own in (on, off)))
    return f"| {' | '.join(cells)} |"


def draw_chart(rows: Sequence[Row], path: Path) -> Path:
    """Draw requests/s and p99 by users."""
    return draw(path, (9, 3.6), lambda figure: paint(figure, rows))


def paint(figure: Figure, rows: Sequence[Row]) -> None:
    """Fill a figure: medians, with bars from the least to the largest of the rounds."""
    users = users_of(rows)
    looks = {ON: ("batches on", "o-", ACCENT), OFF: ("batches off (batch size 1)", "s--", INK)}
    titles = {"requests_per_s": "requests/s", "p99_ms": "99th percentile of latency, ms"}
    panels = figure.subplots(1, 2)
    for axes, (key, title) in zip(panels, titles.items(), strict=True):
        for which, (label, style, colour) in looks.items():
            found = [spread([row[key] for row in select(rows, which, each).values()]) for each in users]
            middle = [each[0] for each in found]
            bars = [[each[0] - each[1] for each in found], [each[2] - each[0] for each in found]]
            axes.errorbar(range(len(users)), middle, bars, fmt=style, color=colour, label=label, capsize=3)
        axes.set(title=title, xlabel="users, each with one request at a time", ylim=(0, None))
        axes.set_xticks(range(len(users)), [str(each) for each in users])
    panels[0].legend(frameon=False)
