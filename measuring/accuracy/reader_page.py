"""The results page of `reader`: figures as JSON, charts, and a page that shows both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from rapidfuzz.distance import Levenshtein

from handwriting.labels import merge_case
from measuring.common.composed_pages import Page
from measuring.common.results_page import table, write_json, write_page
from training.plots import ACCENT, INK, draw

SIZES_PX = (28, 38, 48, 58, 68, 80)
SHOWN = 6  # pages of each kind
INTRODUCTION = """# reader {version}: results

`{command}` sends pages to a server with the archive, and writes this page. The pages are
[composed](../../../measuring/common/composed_pages.py) from characters of the test sets, with seed {seed}: one to four
lines, capitals of 28 to 80 px, several spacings, up to 2 degrees of slope, some characters touching, light from one
side, grain. An error is a character, space or line end that has to be changed, added or removed. Pages of other seeds
were used to develop the reader.
"""
COLUMNS = (
    "pages", "n", "lines", "characters", "error rate, case merged", "95 % interval", "with look-alikes' case",
    "without error",
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """A page and the reader's answer."""

    page: Page
    answer: dict[str, Any]

    @property
    def errors(self) -> int:
        """Number of characters, spaces and line ends to change, add or remove, with case merged as in ByMerge."""
        return Levenshtein.distance(merged(self.answer["text"]), merged(self.page.text))

    @property
    def errors_with_case(self) -> int:
        """The same, but look-alikes in the wrong case are errors."""
        return Levenshtein.distance(self.answer["text"], self.page.text)


def merged(text: str) -> str:
    """Write letters whose cases ByMerge merges as capitals."""
    return "".join(merge_case(character) if character.isalnum() else character for character in text)


def write_report(folder: Path, results: Mapping[str, Any], readings: Mapping[str, list[Reading]]) -> None:
    """Write results.json, README.md and charts; pages.png shows pictures of the test sets and stays out of git."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "results.json", results)
    draw_sizes(readings, folder / "sizes.png")
    draw_pages([reading for each in readings.values() for reading in each[:SHOWN]], folder / "pages.png")
    write_page(folder / "README.md", page_lines(results))


def page_lines(results: Mapping[str, Any]) -> list[str]:
    """Return the results page, in Markdown."""
    return [
        INTRODUCTION.format(**results),
        *table(COLUMNS, map(table_row, results["sets"])),
        "",
        "![Error rate by size](sizes.png)",
        "",
        "The command also draws pages with the boxes that were found, into `pages.png`, which is not committed.",
    ]


def table_row(row: Mapping[str, Any]) -> Sequence[str]:
    """Return a kind of pages as a row of the table."""
    low, high = row["error_rate_interval_95"]
    counts = [f"{row[key]:,}" for key in ("pages", "lines", "characters")]
    rates = [f"**{row['error_rate']:.2%}**", f"{low:.2%} to {high:.2%}", f"{row['error_rate_with_case']:.2%}"]
    return [row["set"], *counts, *rates, f"{row['pages_without_error']:,}"]


def draw_sizes(readings: Mapping[str, list[Reading]], path: Path) -> Path:
    """Draw the error rate by the height of capitals."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for (kind, each), colour in zip(readings.items(), (INK, ACCENT), strict=True):
            sizes = np.digitize([reading.page.capital_px for reading in each], SIZES_PX)
            rows = [[reading for reading, size in zip(each, sizes, strict=True) if size == i] for i in range(1, 6)]
            rates = [sum(r.errors for r in row) / max(1, sum(len(r.page.text) for r in row)) for row in rows]
            middles = [(low + high) / 2 for low, high in pairwise(SIZES_PX)]
            axes.plot(middles, rates, "o-", color=colour, label=kind)
        axes.set(title="Reading pages", xlabel="height of capitals, px", ylabel="character error rate", ylim=(0, None))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.legend(frameon=False)

    return draw(path, (6.4, 4.0), paint)


def draw_pages(readings: Sequence[Reading], path: Path) -> Path:
    """Draw pages with the boxes that were found, each under its text."""

    def paint(figure: Figure) -> None:
        for axes, reading in zip(figure.subplots(-(-len(readings) // 3), 3).flat, readings, strict=False):
            picture = cv2.cvtColor(reading.page.picture, cv2.COLOR_GRAY2RGB)
            for line in reading.answer["lines"]:
                for left, top, width, height in (character["box"] for character in line["characters"]):
                    cv2.rectangle(picture, (left, top), (left + width, top + height), (38, 99, 235), 2)
            axes.imshow(picture)
            axes.set_title(reading.answer["text"], fontsize=8, family="monospace")
            axes.axis("off")

    return draw(path, (12, 2.6 * -(-len(readings) // 3)), paint)
