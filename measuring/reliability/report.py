"""The page of what torture has found: docs/results/reliability.md, with a chart of the soak."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

from loadtest.soak import Sample
from measuring.reliability.outcome import Count, Outcome, Row

mpl.use("Agg")
from matplotlib import pyplot as plt

MIB = 1024**2
CHART = "reliability-soak.png"
RECORD = "reliability.json"


@dataclass(frozen=True)
class Part:
    """What one part of it has found.

    Attributes:
        facts: lines on where and when.
        outcome: what was found.
        samples: of the soak.
    """

    facts: Sequence[str]
    outcome: Outcome
    samples: Sequence[Sample] = ()


def keep(folder: Path, name: str, part: Part) -> None:
    """Put a part on record, in the place of what it found before.

    Args:
        folder: of the record, the page and the chart.
        name: heading of the part.
        part: what it found.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = read(folder) | {name: part}
    record = {name: asdict(each) for name, each in parts.items()}
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n")


def read(folder: Path) -> Mapping[str, Part]:
    """Return the parts on record, by heading."""
    path = folder / RECORD
    return {name: _part(found) for name, found in json.loads(path.read_text()).items()} if path.exists() else {}


def _part(found: Mapping[str, Any]) -> Part:
    outcome = found["outcome"]
    rows, counts = [Row(**row) for row in outcome["rows"]], [Count(**count) for count in outcome["counts"]]
    samples = [Sample(**sample) for sample in found["samples"]]
    return Part(found["facts"], Outcome(rows, counts, outcome["notes"]), samples)


def write(folder: Path) -> Path:
    """Write the page of all parts on record, and return its path."""
    lines = [
        "# Reliability",
        "",
        "Written by `make torture`, which does all of this again; each part says when it was.",
    ]
    for heading, part in read(folder).items():
        outcome = part.outcome
        lines += ["", f"## {heading}", "", *(f"- {line}" for line in [*part.facts, *outcome.notes])]
        lines += ["", *table(outcome.rows)]
        if outcome.counts:
            lines += ["", "| status | type | answers |", "|---|---|---|"]
            lines += [f"| {each.status or 'closed'} | {each.type} | {each.answers:,} |" for each in outcome.counts]
        if part.samples:
            draw(part.samples, folder / CHART)
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
    axes.set(xlabel="minutes of steady load", ylabel="resident memory, MiB")
    axes.set_ylim(0, 1.1 * max(max(each.memory_bytes.values()) for each in samples) / MIB)
    axes.legend(ncols=3, fontsize="small")
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)
