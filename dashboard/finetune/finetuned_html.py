"""HTML of a fine-tuned version's accuracy and answers; needs no server and no session."""

import html

from dashboard.finetune.finetuned import MIN_CHARACTERS, DrawingComparison, FineTuned
from dashboard.finetune.rollout import Stage
from dashboard.shared.recogniser_comparison import ComparedPicture
from training.card import Metric

SHOWN = 60
NOT_RECOMMENDED = "Not recommended: it reads {} worse than before, by more than chance."


def report(found: FineTuned, stage: Stage | None) -> str:
    """Return the drawings that a version was fine-tuned with, the accuracies, and its stage if that is known."""
    mark = f' <span class="ink-mark">{stage}</span>' if stage else ""
    total = sum(found.drawings.values())
    of_each = ", ".join(f"{count} of {html.escape(label)}" for label, count in found.drawings.items())
    rows = "".join(map(_row, found.metrics))
    notes = [NOT_RECOMMENDED.format(found.forgot.set)] if found.forgot else []
    if any(each.n < MIN_CHARACTERS for each in found.metrics):
        notes.append(f"With fewer than {MIN_CHARACTERS} characters, the accuracy is a rough estimate.")
    if found.base_was_finetuned:
        notes.append(f"{found.base} may have been fine-tuned with some of the drawings that are held out here.")
    return (
        f'<h2 class="ink-name">{html.escape(str(found.tuned))}{mark}</h2>'
        f'<p class="ink-note">Fine-tuned from {html.escape(str(found.base))} with {total} drawings, including those'
        f" held out: {of_each}.</p>"
        '<div class="ink-figures"><table><thead><tr><th scope="col">Accuracy on</th>'
        f'<th scope="col">{html.escape(found.base.version)}, before</th>'
        f'<th scope="col">{html.escape(found.tuned.version)}, after</th></tr></thead><tbody>{rows}</tbody>'
        "</table></div>" + "".join(f'<p class="ink-note">{html.escape(each)}</p>' for each in notes)
    )


def _row(metric: Metric) -> str:
    cells = "".join(
        f"<td><b>{100 * share:.2f} %</b> {round(share * metric.n):,} of {metric.n:,}</td>"
        for share in (metric.accuracy_before or 0.0, metric.accuracy)
    )
    return f'<tr><th scope="row">{html.escape(metric.set)}</th>{cells}</tr>'


def working(title: str) -> str:
    """Return the title of a running task, with a spinner."""
    return f'<p class="ink-working" role="status"><span aria-hidden="true"></span>{html.escape(title)}</p>'


def comparison(found: FineTuned, compared: DrawingComparison) -> str:
    """Return how many kept drawings both versions read correctly, and those on which they disagree."""
    if not compared.n:
        return f'<p class="ink-note">No kept drawing has a label of {html.escape(found.tuned.model)}.</p>'
    base, tuned = html.escape(found.base.version), html.escape(found.tuned.version)
    count = len(compared.disagreements)
    agreement = f"They disagree on {count}." if count else "Both versions agree on all of them."
    shown = "".join(_disagreement(*each, versions=(base, tuned)) for each in compared.disagreements[:SHOWN])
    return (
        f'<p role="status">Of {compared.n} kept drawings, {base} reads <b>{compared.base_correct}</b> correctly, and'
        f" {tuned} <b>{compared.tuned_correct}</b>. {agreement}</p>"
        f'<p class="ink-note">{tuned} was fine-tuned with most of them. Its accuracy on held-out ones is above.</p>'
        f'<ul class="ink-disagreements" aria-label="Disagreements">{shown}</ul>'
    )


def _disagreement(label: str, compared: ComparedPicture, versions: tuple[str, str]) -> str:
    shown = html.escape(label)
    image = f'<img src="{compared.thumbnail}" alt="A {shown}">' if compared.thumbnail else ""
    answers = "".join(
        f"<li>{version}: {html.escape(answer)}, {'correct' if answer == label else 'wrong'}</li>"
        for version, answer in zip(versions, compared.labels, strict=True)
    )
    return f"<li>{image}<div>shows {shown}<ul>{answers}</ul></div></li>"
