"""The results page of a recogniser: figures as JSON, charts, and a page that shows both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handwriting.preprocess import picture_frame
from inkserve.client.pictures import to_bytes
from measuring.accuracy import accuracy_charts
from measuring.accuracy.labelled_pictures import LabelledPictures
from measuring.accuracy.scores import Answers, most_confused, summarise, worst_mistakes
from measuring.common.results_page import table_of, write_json, write_page
from training.card import Card
from training.plots import draw_history

MISTAKES = 40
COLUMNS = {
    "test set": "{set}",
    "n": "{n:,}",
    "accuracy": "**{accuracy:.2%}**",
    "95 % interval": "{accuracy_interval_95[0]:.2%} to {accuracy_interval_95[1]:.2%}",
    "top 3": "{top_3_accuracy:.2%}",
    "mean recall": "{mean_recall:.2%}",
    "mean F1": "{mean_f1:.2%}",
    "calibration error": "{expected_calibration_error:.2%}",
    "refused": "{refused}",
}
PAGE = """# {model} {version}: results

`{command}` sends the test sets to a server with the archive, and writes this page.

{table}

The most frequent mistakes on {first}: {mistakes}.

![Confusion matrix](confusion.png)

![Share read wrong, by class](classes.png)

![Accuracy against confidence](reliability.png)

![Training](history.png)

The command also draws the mistakes with the highest confidence, into `mistakes.png`. That file shows
pictures of the data set and is not committed. Precision, recall and F1 of each class are in
[results.json](results.json).
[The card](../../../weights/{model}-{version}.json) says how the weights were made.
"""

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
    write_page(folder / "README.md", [page(results)])
    return results


def draw_worst(card: Card, pictures: LabelledPictures, answers: Answers, path: Path) -> None:
    """Draw the mistakes with the highest confidence."""
    rows = worst_mistakes(answers, MISTAKES)
    frames = [picture_frame(to_bytes(pictures.pictures[row]), card.normal_form) for row in rows]
    right, wrong, confidences = (each[rows] for each in (answers.right, answers.predicted, answers.confidences))
    captions = [
        f"{answers.labels[right]} as {answers.labels[wrong]}, {confidence:.0%}"
        for right, wrong, confidence in zip(right, wrong, confidences, strict=True)
    ]
    accuracy_charts.draw_mistakes(frames, captions, f"{card.name}: mistakes with the highest confidence", path)


def page(results: Mapping[str, Any]) -> str:
    """Return the results page, in Markdown."""
    first = results["sets"][0]
    mistakes = ", ".join(f"{right} as {wrong} ({count:,})" for right, wrong, count in most_confused(first))
    rows = "\n".join(table_of(COLUMNS, results["sets"]))
    return PAGE.format(**results, table=rows, first=first["set"], mistakes=mistakes)
