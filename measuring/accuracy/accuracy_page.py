"""The results page of a recogniser: figures as JSON, charts, and a page that shows both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handwriting.preprocess import picture_frame
from measuring.accuracy import accuracy_charts
from measuring.accuracy.labelled_pictures import LabelledPictures
from measuring.accuracy.scores import Answers, most_confused, summarise, worst_mistakes
from measuring.common.results_page import table, write_json, write_page
from training.card import Card
from training.plots import draw_history

MISTAKES = 40
COLUMNS = (
    "test set", "n", "accuracy", "95 % interval", "top 3", "mean recall", "mean F1", "calibration error", "refused",
)  # fmt: skip

Measured = Sequence[tuple[LabelledPictures, Answers]]


def write_report(folder: Path, card: Card, command: str, measured: Measured) -> dict[str, Any]:
    """Write results.json, the charts and README.md into a folder, and return what results.json holds.

    mistakes.png stays out of git: it shows pictures of the data sets, which the project may not publish.

    Args:
        folder: `docs/results/<model>`.
        card: of the weights.
        command: that makes these files.
        measured: test sets with the answers, the official one first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "model": card.model,
        "version": card.version,
        "weights_sha256": card.sha256,
        "command": command,
        "sets": [{"set": pictures.title, **summarise(answers)} for pictures, answers in measured],
    }
    write_json(folder / "results.json", results)
    (pictures, answers), summary = measured[0], results["sets"][0]
    title = f"{card.name} on {pictures.title}"
    accuracy_charts.draw_confusion(answers, title, folder / "confusion.png")
    accuracy_charts.draw_recalls(answers, summary["classes"], title, folder / "classes.png")
    error = summary["expected_calibration_error"]
    accuracy_charts.draw_reliability(answers, title, error, folder / "reliability.png")
    draw_history(card.history or (), card.name, folder / "history.png")
    draw_worst(card, pictures, answers, folder / "mistakes.png")
    write_page(folder / "README.md", page_lines(results))
    return results


def draw_worst(card: Card, pictures: LabelledPictures, answers: Answers, path: Path) -> None:
    """Draw the mistakes with the highest confidence."""
    rows = worst_mistakes(answers, MISTAKES)
    encoded = list(pictures.take(rows))
    frames = [picture_frame(each, card.normal_form) for each in encoded]
    captions = [
        f"{answers.labels[right]} as {answers.labels[wrong]}, {confidence:.0%}"
        for right, wrong, confidence in zip(
            answers.right[rows], answers.predicted[rows], answers.confidences[rows], strict=True
        )
    ]
    accuracy_charts.draw_mistakes(frames, captions, f"{card.name}: mistakes with the highest confidence", path)


def page_lines(results: Mapping[str, Any]) -> list[str]:
    """Return the results page, in Markdown."""
    name, first = f"{results['model']} {results['version']}", results["sets"][0]
    mistakes = ", ".join(f"{right} as {wrong} ({count:,})" for right, wrong, count in most_confused(first))
    return [
        f"# {name}: results",
        "",
        f"`{results['command']}` sends the test sets to a server with the archive, and writes this page.",
        "",
        *table(COLUMNS, map(table_row, results["sets"])),
        "",
        f"The most frequent mistakes on {first['set']}: {mistakes}.",
        "",
        "![Confusion matrix](confusion.png)",
        "",
        "![Share read wrong, by class](classes.png)",
        "",
        "![Accuracy against confidence](reliability.png)",
        "",
        "![Training](history.png)",
        "",
        "The command also draws the mistakes with the highest confidence, into `mistakes.png`. That file shows",
        "pictures of the data set and is not committed. Precision, recall and F1 of each class are in",
        "[results.json](results.json).",
        f"[The card](../../../weights/{results['model']}-{results['version']}.json) says how the weights were made.",
    ]


def table_row(row: Mapping[str, Any]) -> Sequence[str]:
    """Return a test set as a row of the table."""
    low, high = row["accuracy_interval_95"]
    shares = (row["top_3_accuracy"], row["mean_recall"], row["mean_f1"], row["expected_calibration_error"])
    return [
        row["set"],
        f"{row['n']:,}",
        f"**{row['accuracy']:.2%}**",
        f"{low:.2%} to {high:.2%}",
        *(f"{share:.2%}" for share in shares),
        str(row["refused"]),
    ]
