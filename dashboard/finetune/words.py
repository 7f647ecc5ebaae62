"""HTML of what a taught version reads; no server, no session."""

import html

from dashboard.finetune.lessons import Lesson, Result
from dashboard.finetune.service import Stage
from dashboard.finetune.verdict import Apart, Verdict

ARCHIVE = "An archive that stays in the model store is loaded again at the next start, but is not the default then."
ENOUGH = 30  # characters; under this a single one is more than 3 points
SHOWN = 60


def report(lesson: Lesson, stage: Stage | None) -> str:
    """Return what a version learned from, and what it and the old one read right; its stage, if that is known."""
    mark = f' <span class="ink-mark">{stage}</span>' if stage else ""
    total = sum(lesson.drawings.values())
    of_each = ", ".join(f"{count} of {html.escape(label)}" for label, count in lesson.drawings.items())
    rows = "".join(_row(each) for each in lesson.results)
    notes = []
    if any(each.n < ENOUGH for each in lesson.results):
        notes.append(f"Fewer than {ENOUGH} tell little: one more or less is a large step.")
    if lesson.old_was_taught:
        notes.append(f"{lesson.old} may have learned from some of the drawings kept aside now.")
    return (
        f'<h2 class="ink-name">{html.escape(str(lesson.new))}{mark}</h2>'
        f'<p class="ink-note">It goes on from {html.escape(str(lesson.old))}, with {total} drawings, those kept aside'
        f" included: {of_each}.</p>"
        '<div class="ink-figures"><table><thead><tr><th scope="col">read right of</th>'
        f'<th scope="col">{html.escape(lesson.old.version)}, before</th>'
        f'<th scope="col">{html.escape(lesson.new.version)}, after</th></tr></thead><tbody>{rows}</tbody></table></div>'
        + "".join(f'<p class="ink-note">{html.escape(each)}</p>' for each in notes)
    )


def _row(result: Result) -> str:
    cells = "".join(
        f"<td><b>{100 * share:.2f} %</b> {round(share * result.n):,} of {result.n:,}</td>"
        for share in (result.before, result.after)
    )
    return f'<tr><th scope="row">{html.escape(result.title)}</th>{cells}</tr>'


def working(title: str) -> str:
    """Return what is being done, with a wheel that turns."""
    return f'<p class="ink-working" role="status"><span aria-hidden="true"></span>{html.escape(title)}</p>'


def comparison(lesson: Lesson, verdict: Verdict) -> str:
    """Return how many of the kept drawings both read right, and those that they read differently."""
    if not verdict.n:
        return f'<p class="ink-note">No drawing is kept whose label {html.escape(lesson.new.model)} knows.</p>'
    old, new = html.escape(lesson.old.version), html.escape(lesson.new.version)
    apart = len(verdict.apart)
    told = f"{apart} of them {'are' if apart != 1 else 'is'} read differently." if apart else "They read all alike."
    shown = "".join(_apart(each, old, new) for each in verdict.apart[:SHOWN])
    return (
        f'<p role="status">Of {verdict.n} kept drawings {old} reads <b>{verdict.old}</b> right, and {new}'
        f" <b>{verdict.new}</b>. {told}</p>"
        f'<p class="ink-note">{new} has learned from most of these; those kept aside are measured above.</p>'
        f'<ul class="ink-apart" aria-label="Read differently">{shown}</ul>'
    )


def _apart(each: Apart, old: str, new: str) -> str:
    label = html.escape(each.label)
    image = f'<img src="{each.picture}" alt="A {label}">' if each.picture else ""
    answers = "".join(
        f"<li>{version}: {html.escape(answer)}, {'right' if answer == each.label else 'wrong'}</li>"
        for version, answer in ((old, each.old), (new, each.new))
    )
    return f"<li>{image}<div>shows {label}<ul>{answers}</ul></div></li>"
