"""How charts look here, and the one that shows a training run."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter, StrMethodFormatter

INK, ACCENT, FAINT = "#1f2937", "#2563eb", "#d1d5db"
NARROW = 3.0  # factor between the ends of an axis
STYLE = {
    "font.size": 9,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def draw(path: Path, size_inches: tuple[float, float], paint: Callable[[Figure], None]) -> Path:
    """Make a figure, let `paint` fill it, and write it as PNG."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size_inches, dpi=130, layout="constrained")
        paint(figure)
        figure.savefig(path)
    return path


def draw_history(history: Sequence[dict[str, float]], title: str, path: Path) -> Path:
    """Draw loss and held-out accuracy by epoch."""
    epochs = range(1, len(history) + 1)

    def paint(figure: Figure) -> None:
        held_out = [row.get("held_out_accuracy") for row in history]
        known = all(value is not None for value in held_out)
        panels = np.ravel(figure.subplots(1, 1 + known))
        panels[0].plot(epochs, [row["loss"] for row in history], color=ACCENT)
        panels[0].set(title=f"{title}: training loss", xlabel="epoch", yscale="log")
        if known:
            panels[1].plot(epochs, [1 - value for value in held_out], color=ACCENT)
            panels[1].set(title="held-out characters read wrong", xlabel="epoch", yscale="log")
        for axes, formatter in zip(
            panels, (StrMethodFormatter("{x:g}"), PercentFormatter(1, decimals=1)), strict=False
        ):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            low, high = axes.get_ylim()
            narrow = high < NARROW * low  # so that marks of a logarithmic axis would be few
            axes.yaxis.set_major_locator(MaxNLocator(5) if narrow else LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(formatter)
            axes.yaxis.set_minor_formatter(NullFormatter())

    return draw(path, (9, 3.4), paint)
