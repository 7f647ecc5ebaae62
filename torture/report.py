"""The page of what torture has found: docs/results/reliability.md, with a chart of the soak."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

from torture.outcome import Outcome, Row
from torture.soak import Sample

mpl.use("Agg")
from matplotlib import pyplot as plt

MIB = 1024**2
CHART = "reliability-soak.png"


def write(folder: Path, facts: Sequence[str], parts: Mapping[str, Outcome], samples: Sequence[Sample]) -> Path:
    """Write the page, and return its path.

    Args:
        folder: of the page and the chart.
        facts: lines on where and when.
        parts: what was found, by heading.
        samples: of the soak; no chart without any.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Reliability", "", "Written by `make torture`, which does all of this again.", ""]
    lines += [f"- {fact}" for fact in facts]
    for heading, outcome in parts.items():
        lines += ["", f"## {heading}", "", *table(outcome.rows)]
        if outcome.counts:
            lines += ["", "| status | type | answers |", "|---|---|---|"]
            lines += [f"| {each.status or 'closed'} | {each.type} | {each.answers:,} |" for each in outcome.counts]
        if outcome.notes:
            lines += ["", *(f"- {note}" for note in outcome.notes)]
    if samples:
        draw(samples, folder / CHART)
        lines += ["", f"![Memory of each process during the soak]({CHART})"]
    page = folder / "reliability.md"
    page.write_text("\n".join(lines) + "\n")
    return page


def table(rows: Sequence[Row]) -> Sequence[str]:
    """Return rows as a table in Markdown."""
    body = [f"| {row.what} | {row.wanted} | {row.found} | {'yes' if row.reached else '**no**'} |" for row in rows]
    return ["| what | wanted | found | reached |", "|---|---|---|---|", *body]


def draw(samples: Sequence[Sample], path: Path) -> None:
    """Draw the memory of each process over time."""
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for name in samples[-1].memory_bytes:
        times = [each.time_s / 60 for each in samples if name in each.memory_bytes]
        sizes = [each.memory_bytes[name] / MIB for each in samples if name in each.memory_bytes]
        axes.plot(times, sizes, label=name)
    axes.set(xlabel="minutes of steady load", ylabel="resident memory, MiB", ylim=(0, None))
    axes.legend(ncols=3, fontsize="small")
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)
