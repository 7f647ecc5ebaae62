"""The results of `training.export.table` as a page."""

from collections.abc import Mapping
from typing import Any

from training.export.formats import FORMATS

TITLES = {"torch": "**PyTorch**", "pruned": "PyTorch, pruned"} | {name: form.title for name, form in FORMATS.items()}

HEAD = """# Recognisers in other formats

Every file takes (N, 1, 28, 28) float32 frames and gives (N, labels) probabilities. `make export` writes them to
`runs/exports`, compares each with torch, and makes this page.
"""

NOTES = """
## How to read this

- **accuracy** is on the test set above the table, **same label** is how often the format names the same character as
  PyTorch there. All formats but int8 compute in float32.
- **one picture** is the time from a NumPy array to the probabilities, p50 and p95 of {n_single:,} calls; **{pictures}
  at once** is the throughput of whole batches. **x** is how many times as fast as PyTorch: the median of {rounds}
  rounds in which all formats had their turn, with the least and the greatest. Compare those; the times themselves are
  of this machine, and of what else it did.
- Everything runs on one thread. PyTorch is the checkpoint as the server runs it.
- **zipped** is the file deflated, about what it adds to an app.
- TorchScript is deprecated by PyTorch, which still writes and reads it; use another format for anything new.
- ExecuTorch takes up to 64 pictures at once, LiteRT 1 or 64; larger and other numbers are cut up and filled up.
"""


def render(results: Mapping[str, Any]) -> str:
    """Write the page, as Markdown.

    Args:
        results: as in exports.json.
    """
    parts = [HEAD, *(render_model(model, results["pictures"]) for model in results["models"])]
    rounds, pictures = results["rounds"], results["pictures"]
    parts.append(NOTES.format(n_single=rounds * results["calls"], pictures=pictures, rounds=rounds))
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    parts.append(
        f"## Measured on\n\n{results['processor']}, {results['cores']} cores, one used; {results['system']}; "
        f"Python {results['python']}, {versions}.\n\n```sh\n{results['command']}\n```\n"
    )
    return "\n".join(parts)


def render_model(model: Mapping[str, Any], pictures: int) -> str:
    """Write a recogniser's table."""
    lines = [
        f"## {model['model']} {model['version']}",
        "",
        f"{model['test_set']}, n = {model['n']:,}.",
        "",
        f"| format | bytes | zipped | accuracy | same label | one picture: p50 | p95 | {pictures} at once |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *(render_row(row) for row in model["formats"]),
        "",
        *(f"- {TITLES[name]}: {reason}." for name, reason in model["absent"].items()),
    ]
    if "pruned" in model:
        row = next(row for row in model["formats"] if row["format"] == "pruned")
        lines += ["", render_pruned(model["pruned"], row)]
    return "\n".join(lines).rstrip() + "\n"


def render_row(row: Mapping[str, Any]) -> str:
    """Write a line of the table."""
    cells = [
        TITLES[row["format"]],
        f"{row['bytes']:,}",
        f"{row['bytes_zipped']:,}",
        f"{row['accuracy']:.2%}",
        "" if row["format"] == "torch" else f"{row['agreement']:.2%}",
        with_ratio(f"{row['p50_ms']:.3f} ms", row, "p50_times_as_fast"),
        with_ratio(f"{row['p95_ms']:.3f} ms", row, "p95_times_as_fast"),
        with_ratio(f"{row['pictures_per_s']:,.0f}/s", row, "throughput_times_as_fast"),
    ]
    return f"| {' | '.join(cells)} |"


def with_ratio(figure: str, row: Mapping[str, Any], name: str) -> str:
    """Write a figure, and how many times as fast as torch that is."""
    if row["format"] == "torch":
        return figure
    ratio = row[name]
    return f"{figure}<br>{ratio['median']:.2f} x ({ratio['min']:.2f} to {ratio['max']:.2f})"


def render_pruned(pruned: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Say what pruning brings, and what it does not.

    Args:
        pruned: of the card.
        row: of the table.
    """
    after, before, between = (f"{metric['accuracy']:.2%}" for metric in pruned["metrics"])
    unpruned, speed = pruned["unpruned"], row["throughput_times_as_fast"]
    return (
        f"Pruned: {pruned['sparsity']:.1%} of the weights are zero, {pruned['nonzero_parameters']:,} of "
        f"{pruned['parameters']:,} parameters are not. Accuracy: {before} before, {between} with the weights gone, "
        f"{after} after training on (n = {pruned['metrics'][0]['n']:,}). The file has {pruned['bytes']:,} bytes, "
        f"unpruned {unpruned['bytes']:,}: zeros take as much room. Zipped it has {pruned['bytes_zipped']:,}, unpruned "
        f"{unpruned['bytes_zipped']:,}. Dense kernels multiply by zeros too: {speed['median']:.2f} x the unpruned "
        f"throughput ({speed['min']:.2f} to {speed['max']:.2f}).\n\n"
        f"```sh\n{pruned['command']}\n```"
    )
