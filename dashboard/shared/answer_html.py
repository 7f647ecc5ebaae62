"""HTML of answers, and of the messages that stand in their place; needs no server and no session."""

import html

from inkserve import Candidate, PageReading, Prediction

NAMED = 8  # unsure characters of a page; the others are counted


def prediction(answer: Prediction, figures: str, unsure_below: float = 0.0, of: str = "") -> str:
    """Return the label with its confidence, the top-k as bars, figures, and the model version.

    Args:
        answer: the server's.
        figures: HTML of pictures and of the latency.
        unsure_below: a lower confidence is marked.
        of: digest of the picture, by which a script recognises a new answer.
    """
    bars = "".join(_bar(candidate) for candidate in answer.top)
    unsure = "" if answer.confidence >= unsure_below else '<span class="ink-unsure">unsure</span>'
    notes = "".join(remark(f"{each[:1].upper()}{each[1:]}.") for each in answer.notes)
    return (
        f'<section class="ink-result" role="status" data-of="{html.escape(of)}">'
        '<div class="ink-answer">'
        f'<span class="ink-label">{html.escape(answer.label)}</span>'
        f'<span class="ink-confidence"><b>{percent(answer.confidence)}</b> confidence {unsure}</span>'
        f"</div>{notes}{strip(answer.label, percent(answer.confidence))}"
        f'<ol class="ink-top" aria-label="Most probable labels">{bars}</ol>'
        f"{figures}{_source(answer)}</section>"
    )


def page(answer: PageReading, figures: str, unsure_below: float = 0.0, of: str = "") -> str:
    """Return the text of a page with how sure it is, figures, and the model version; `of` as for `prediction`."""
    sureness = _sureness(answer, unsure_below)
    return (
        f'<section class="ink-result" role="status" data-of="{html.escape(of)}">'
        f'<pre class="ink-text">{html.escape(answer.text)}</pre><p class="ink-note">{sureness}</p>'
        f"{figures}{_source(answer)}{strip(answer.text, sureness)}</section>"
    )


def _sureness(answer: PageReading, unsure_below: float) -> str:
    """Return how many characters were read, and the unsure ones; without any, the least sure one."""
    found = count(len(answer.characters), "character")
    by_confidence = sorted(answer.characters, key=lambda each: each.confidence)
    unsure = [each for each in by_confidence if each.confidence < unsure_below]
    named = [
        f"{html.escape(each.label)} ({percent(each.confidence)})" for each in (unsure or by_confidence[:1])[:NAMED]
    ]
    if unsure:
        more = f" and {len(unsure) - NAMED} more" if len(unsure) > NAMED else ""
        return f"{found}, {len(unsure)} of them unsure: {', '.join(named)}{more}"
    return f"{found}, the least sure one {named[0]}" if named else found


def strip(text: str, detail: str) -> str:
    """Return an answer in a line, which a phone shows at its lower edge while the answer itself is out of sight."""
    return f'<p class="ink-glance" aria-hidden="true"><b>{html.escape(text)}</b> {detail}</p>'


def note(message: str) -> str:
    """Return a message in the place of an answer."""
    return f'<section class="ink-result" role="status">{remark(message)}</section>'


def remark(message: str) -> str:
    """Return a message that takes no more space than its text."""
    return f'<p class="ink-note">{html.escape(message)}</p>'


def refusal(message: str, name: str = "This picture") -> str:
    """Return the server's reason for refusing a picture."""
    reason = html.escape(message[:1].upper() + message[1:])
    return (
        '<section class="ink-result" role="status"><div class="ink-refusal">'
        f"<strong>{html.escape(name)} cannot be read.</strong> {reason}</div></section>"
    )


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular for one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(probability: float) -> str:
    """Write a probability in [0, 1] with one decimal; never rounded to 0 or 100 %."""
    if probability < 0.0005:  # noqa: PLR2004 - below half of the last digit shown
        return "< 0.1 %"
    if probability >= 0.9995:  # noqa: PLR2004
        return "> 99.9 %"
    return f"{100 * probability:.1f} %"


def _source(answer: Prediction | PageReading) -> str:
    return (
        f'<p class="ink-source">{html.escape(answer.model)} {html.escape(answer.version)}'
        f" &middot; {answer.round_trip_ms:.0f} ms round trip</p>"
    )


def _bar(candidate: Candidate) -> str:
    width = f"{100 * candidate.probability:.1f}%"
    return (
        f"<li><b>{html.escape(candidate.label)}</b>"
        f'<span class="ink-track" aria-hidden="true"><span style="width:{width}"></span></span>'
        f"<span>{percent(candidate.probability)}</span></li>"
    )
