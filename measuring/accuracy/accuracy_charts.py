"""Charts of a recogniser's results: confusion matrix, calibration, recall by class, mistakes."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from measuring.accuracy.scores import Answers, confusion, reliability
from training.plots import ACCENT, FAINT, INK, draw

GRID_COLUMNS = 10


def draw_confusion(answers: Answers, title: str, path: Path) -> Path:
    """Draw for each right label (row) the shares of the predicted labels, in shades that show rare mistakes as well."""
    counts = confusion(answers)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    few = len(answers.labels) <= 10  # noqa: PLR2004 - cells large enough for numbers

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        picture = axes.imshow(shares, cmap="Blues", norm=mpl.colors.PowerNorm(0.35, 0, 1))
        ticks = range(len(answers.labels))
        axes.set(title=title, xlabel="predicted", ylabel="right label")
        axes.set_xticks(ticks, answers.labels, fontsize=9 if few else 7)
        axes.set_yticks(ticks, answers.labels, fontsize=9 if few else 7)
        axes.spines[:].set_visible(False)
        for row, column in np.argwhere(counts) if few else []:
            shade = "white" if shares[row, column] > 0.3 else INK  # noqa: PLR2004
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=shade, fontsize=8)
        bar = figure.colorbar(picture, ax=axes, shrink=0.7, label="share of the right label's pictures")
        bar.set_ticks([0, 0.01, 0.1, 0.3, 1], labels=["0", "1 %", "10 %", "30 %", "100 %"])
        bar.outline.set_visible(False)

    return draw(path, (6.4, 5.6) if few else (9.5, 8.4), paint)


def draw_reliability(answers: Answers, title: str, error: float, path: Path) -> Path:
    """Draw accuracy against confidence, with the number of pictures in each bin below."""
    rows = reliability(answers)
    confidences = [row["confidence"] for row in rows]

    def paint(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        above.plot([0, 1], [0, 1], color=FAINT, linewidth=1.5, label="perfect calibration")
        accuracies = [row["accuracy"] for row in rows]
        above.plot(confidences, accuracies, "o-", color=ACCENT, label=f"measured, error {error:.2%}")
        above.set(title=title, ylabel="accuracy", ylim=(0, 1.03))
        above.legend(frameon=False)
        below.bar(confidences, [row["n"] for row in rows], width=0.05, color=ACCENT)
        below.set(xlabel="confidence", ylabel="pictures", yscale="log", xlim=(0, 1.03))
        above.yaxis.set_major_formatter(PercentFormatter(1))
        below.xaxis.set_major_formatter(PercentFormatter(1))

    return draw(path, (5.6, 5.2), paint)


def draw_recalls(answers: Answers, rows: Sequence[dict], title: str, path: Path) -> Path:
    """Draw recall by class, the weakest first."""
    ordered = sorted((row for row in rows if row["n"]), key=lambda row: row["recall"])

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.bar(range(len(ordered)), [1 - row["recall"] for row in ordered], color=ACCENT)
        axes.set_xticks(range(len(ordered)), [row["label"] for row in ordered])
        axes.set(title=f"{title}: read wrong, by class", ylabel="share of the class's pictures")
        axes.yaxis.set_major_formatter(PercentFormatter(1))

    return draw(path, (max(5.0, 0.2 * len(answers.labels)), 3.2), paint)


def draw_mistakes(pictures: Sequence[np.ndarray], captions: Sequence[str], title: str, path: Path) -> Path:
    """Draw pictures in a grid, each under its caption."""
    rows = max(1, -(-len(pictures) // GRID_COLUMNS))  # one row where there are no pictures

    def paint(figure: Figure) -> None:
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
        grid: list[Axes] = list(np.ravel(figure.subplots(rows, GRID_COLUMNS, squeeze=False)))
        for axes in grid:
            axes.axis("off")
        for axes, picture, caption in zip(grid, pictures, captions, strict=False):
            axes.imshow(picture, cmap="gray")
            axes.set_title(caption, fontsize=8, fontweight="normal", loc="center")

    return draw(path, (11, 0.5 + 1.3 * rows), paint)
