"""The messages of the Batch page, as HTML and text; needs no server and no session."""

import html
from collections import Counter
from collections.abc import Sequence

from dashboard.batch.batch_job import Job, Progress
from dashboard.batch.folder_accuracy import Score
from dashboard.batch.result_files import source
from dashboard.batch.uploads import Upload
from dashboard.shared.answer_html import count
from inkserve import RecogniserError

SHOWN = 5  # confusions, and files that are not read or refused; the others are counted
NAMED = 50  # files that were left out
MINUTE_S = 60
SHORT_S = 0.1
ENOUGH = 100  # pictures: the rate of fewer is not meaningful


def progress_line(progress: Progress) -> str:
    """Return how many pictures are done, the rate and the time left."""
    line = f"{progress.done:,} of {progress.total:,} pictures"
    if progress.done:
        line += f" · {progress.rate:,.0f} pictures/s"
    if progress.left_s is not None:
        line += f" · {duration(progress.left_s)} left"
    return line + (f" · {progress.failed:,} with an error" if progress.failed else "")


def outcome(job: Job, upload: Upload) -> str:
    """Return the summary of a batch that has ended, and which files were skipped."""
    progress = job.progress()
    failed = [
        html.escape(entry.name)
        for entry, result in zip(job.entries, job.results, strict=True)
        if isinstance(result, RecogniserError)
    ]
    read = len(job.results) - len(failed) - job.results.count(None)
    name = html.escape(" ".join(filter(None, source(job))))
    rate = f", {progress.rate:,.0f} pictures/s" if progress.done - progress.failed >= ENOUGH else ""
    lines = [
        f"<strong>{read:,} of {count(len(job.results), 'picture')} read</strong> by {name} in "
        f"{duration(progress.elapsed_s)}{rate}"
    ]
    if job.cancelled:
        lines.append(f"Cancelled: {count(progress.total - progress.done, 'picture')} not read")
    if failed:
        named = ", ".join(failed[:SHOWN]) + (" and others" if len(failed) > SHOWN else "")
        lines.append(f"{count(len(failed), 'picture')} could not be read: {named}. {reason(job)}")
    if job.fault:
        lines.append(f"Reading stopped with an error: {html.escape(job.fault)}")
    return section("".join(f"<p>{line}</p>" for line in lines) + skipped(upload))


def section(content: str) -> str:
    """Return HTML in a box that screen readers announce."""
    return f'<section class="ink-batch" role="status">{content}</section>'


def reason(job: Job) -> str:
    """Return why pictures could not be read; of several reasons, the most frequent one."""
    reasons = Counter(each.message for each in job.results if isinstance(each, RecogniserError))
    [(message, _)] = reasons.most_common(1)
    said = html.escape(message[:1].upper() + message[1:])
    return f"Most often: {said}" if len(reasons) > 1 else said


def skipped(upload: Upload) -> str:
    """Return which files were left out or refused, and why; "" if none were."""
    lines = []
    if upload.left_out:
        named = [f"<li>{html.escape(each.name)}: {html.escape(each.reason)}</li>" for each in upload.left_out[:NAMED]]
        if len(upload.left_out) > NAMED:
            named.append(f"<li>and {count(len(upload.left_out) - NAMED, 'more file')}</li>")
        summary = f"<summary>{count(len(upload.left_out), 'file')} left out</summary>"
        lines = [f'<details class="ink-left-out">{summary}<ul>{"".join(named)}</ul></details>']
    refused = [html.escape(each) for each in upload.refusals[:SHOWN]]
    if len(upload.refusals) > SHOWN:
        refused.append(f"and {len(upload.refusals) - SHOWN:,} more files refused")
    return "".join([*lines, *(f'<p class="ink-left-out">{each}</p>' for each in refused)])


def accuracy(found: Score) -> str:
    """Return the accuracy on labelled pictures, and the most frequent errors."""
    low, high = (100 * bound for bound in found.interval)
    unread = f"; {count(found.unread, 'labelled picture')} not read" if found.unread else ""
    line = (
        f"<strong>Accuracy {100 * found.accuracy:.1f} %</strong> (95 % interval {low:.1f} to {high:.1f}): "
        f"{found.right:,} of {found.read:,} pictures in folders named after labels{unread}"
    )
    errors = [
        f"{html.escape(truth)} read as {html.escape(label)} ({times:,})"
        for (truth, label), times in found.confusion.most_common()
        if truth != label
    ]
    most_frequent = f"<p>Most frequent errors: {', '.join(errors[:SHOWN])}</p>" if errors else ""
    return f'<section class="ink-batch"><p>{line}</p>{most_frequent}</section>'


def folder_hint(labels: Sequence[str]) -> str:
    """Return how folders tell the true labels of pictures."""
    return f"Pictures in folders named after labels, such as {labels[7]}/scan.png, also give the accuracy."


def duration(seconds: float) -> str:
    """Return a time, rounded."""
    if seconds < SHORT_S:
        return f"less than {SHORT_S} s"
    if seconds < MINUTE_S:
        return f"{seconds:.{int(seconds < MINUTE_S / 6)}f} s"
    return f"{int(seconds) // MINUTE_S} min {int(seconds) % MINUTE_S} s"
