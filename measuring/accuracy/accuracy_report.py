"""A recogniser's results as files: figures as JSON, pictures as PNG, and a page that shows both."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handwriting.preprocess import picture_frame
from measuring.accuracy import charts as plots
from measuring.accuracy.labelled_pictures import LabelledPictures
from measuring.accuracy.scores import Answers, most_confused, summarise, worst_mistakes
from training.card import Card
from training.plots import draw_history

MISTAKES = 40

Measured = Sequence[tuple[LabelledPictures, Answers]]


def write_report(folder: Path, card: Card, command: str, measured: Measured) -> dict[str, Any]:
    """Write results.json, the pictures and README.md into a folder.

    The mistakes are pictures of the data sets, which are not ours to publish: mistakes.png stays out of git.

    Args:
        folder: `docs/results/<model>`.
        card: of the weights that answered.
        command: that makes these files.
        measured: test sets with the answers, the official one first.

    Returns:
        what results.json holds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results = {
        "model": card.model,
        "version": card.version,
        "weights_sha256": card.sha256,
        "command": command,
        "sets": [{"set": pictures.title, **summarise(answers)} for pictures, answers in measured],
    }
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (pictures, answers), summary = measured[0], results["sets"][0]
    title = f"{card.name} on {pictures.title}"
    plots.draw_confusion(answers, title, folder / "confusion.png")
    plots.draw_recalls(answers, summary["classes"], title, folder / "classes.png")
    plots.draw_reliability(answers, title, summary["expected_calibration_error"], folder / "reliability.png")
    draw_history(card.history or (), f"{card.name}", folder / "history.png")
    draw_worst(card, pictures, answers, folder / "mistakes.png")
    (folder / "README.md").write_text(page(card, results, measured))
    return results


def draw_worst(card: Card, pictures: LabelledPictures, answers: Answers, path: Path) -> None:
    """Draw what was read wrong with the most confidence."""
    rows = worst_mistakes(answers, MISTAKES)
    encoded = list(pictures.take(rows))
    frames = [picture_frame(each, card.normal_form) for each in encoded]
    captions = [
        f"{answers.labels[right]} as {answers.labels[wrong]}, {confidence:.0%}"
        for right, wrong, confidence in zip(
            answers.right[rows], answers.predicted[rows], answers.confidences[rows], strict=True
        )
    ]
    plots.draw_mistakes(frames, captions, f"{card.name}: its surest mistakes", path)


def page(card: Card, results: Mapping[str, Any], measured: Measured) -> str:
    """Write the results page, in Markdown."""
    lines = [
        f"# {card.name}: results",
        "",
        f"Read over HTTP, from the archive, by `{results['command']}`, which writes this page.",
        "",
        "| test set | n | accuracy | 95 % interval | top 3 | mean recall | mean F1 | calibration error | refused |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results["sets"]:
        low, high = row["accuracy_interval_95"]
        figures = (row["top_3_accuracy"], row["mean_recall"], row["mean_f1"], row["expected_calibration_error"])
        shares = " | ".join(f"{figure:.2%}" for figure in figures)
        interval = f"{low:.2%} to {high:.2%}"
        lines.append(
            f"| {row['set']} | {row['n']:,} | **{row['accuracy']:.2%}** | {interval} | {shares} | {row['refused']} |"
        )
    mistakes = ", ".join(f"{right} as {wrong} ({count:,})" for right, wrong, count in most_confused(measured[0][1]))
    return "\n".join(
        [
            *lines,
            "",
            f"The commonest mistakes on {measured[0][0].title}: {mistakes}.",
            "",
            "![Confusion matrix](confusion.png)",
            "",
            "![Share read wrong, by class](classes.png)",
            "",
            "![Accuracy against confidence](reliability.png)",
            "",
            "![Training](history.png)",
            "",
            "The command also draws the surest mistakes, into `mistakes.png` here; that one shows pictures of the data",
            "set and is not committed. Precision, recall and F1 of each class are in [results.json](results.json). How",
            f"the weights were made is on [their card](../../../weights/{card.model}-{card.version}.json).",
            "",
        ]
    )
