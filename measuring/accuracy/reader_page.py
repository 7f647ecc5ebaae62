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
from measuring.common.results_page import table_of, write_json, write_page
from training.plots import ACCENT, INK, draw

SIZES_PX = (28, 38, 48, 58, 68, 80)
SHOWN = 6  # pages of each kind
PAGE = """# reader {version}: results

`{command}` sends pages to a server with the archive, and writes this page. The pages are
[composed](../../../measuring/common/composed_pages.py) from characters of the test sets, with seed {seed}: one to four
lines, capitals of 28 to 80 px, several spacings, up to 2 degrees of slope, some characters touching, light from one
side, grain. An error is a character, space or line end that has to be changed, added or removed. Pages of other seeds
were used to develop the reader.

{table}

![Error rate by size](sizes.png)

The command also draws pages with the boxes that were found, into `pages.png`, which is not committed.
"""
COLUMNS = {
    "pages": "{set}",
    "n": "{pages:,}",
    "lines": "{lines:,}",
    "characters": "{characters:,}",
    "error rate, case merged": "**{error_rate:.2%}**",
    "95 % interval": "{error_rate_interval_95[0]:.2%} to {error_rate_interval_95[1]:.2%}",
    "with look-alikes' case": "{error_rate_with_case:.2%}",
    "without error": "{pages_without_error:,}",
}


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


def write_report(folder: Path, results: Mapping[str, Any], readings: Mapping[str, list[Reading]]) -> str:
    """Write results.json, README.md and charts, and return the page.

    pages.png shows pictures of the test sets and stays out of git.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "results.json", results)
    draw_sizes(readings, folder / "sizes.png")
    draw_pages([reading for each in readings.values() for reading in each[:SHOWN]], folder / "pages.png")
    rows = "\n".join(table_of(COLUMNS, results["sets"]))
    return write_page(folder / "README.md", [PAGE.format(**results, table=rows)])


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
