"""What the Batch page says of a batch, in HTML and in words."""

import html
from collections import Counter
from collections.abc import Sequence

from dashboard.batch.export import source
from dashboard.batch.job import Job, Progress
from dashboard.batch.score import Score
from dashboard.batch.uploads import Upload
from inkserve.client import RecogniserError

SHOWN = 5  # confusions and refusals; the rest is counted
SECONDS = 60  # of a minute
ENOUGH = 100  # pictures: the rate of fewer says nothing


def progress_line(progress: Progress) -> str:
    """Say how far a batch is, how fast it goes and how long it will still take."""
    line = f"{progress.done:,} of {progress.total:,} pictures"
    if progress.done:
        line += f" · {progress.rate:,.0f} pictures/s"
    if progress.left_s is not None:
        line += f" · {duration(progress.left_s)} left"
    return line + (f" · {progress.failed:,} with an error" if progress.failed else "")


def outcome(job: Job, upload: Upload) -> str:
    """Say what came of a batch, and what was left out."""
    progress = job.progress()
    failed = sum(isinstance(result, RecogniserError) for result in job.results)
    read = len(job.results) - failed - job.results.count(None)
    name = html.escape(" ".join(filter(None, source(job))))
    rate = f", {progress.rate:,.0f} pictures/s" if progress.done - progress.failed >= ENOUGH else ""
    lines = [
        f"<strong>{read:,} of {count(len(job.results), 'picture')} read</strong> by {name} in "
        f"{duration(progress.elapsed_s)}{rate}"
    ]
    if job.cancelled:
        lines.append(f"Cancelled: {count(progress.total - progress.done, 'picture')} not read")
    if failed:
        lines.append(f"{count(failed, 'picture')} could not be read. {reason(job)}")
    if job.fault:
        lines.append(f"The reading broke off: {html.escape(job.fault)}")
    return (
        f'<section class="ink-batch" role="status">{"".join(f"<p>{line}</p>" for line in lines)}'
        f"{left_out(upload)}</section>"
    )


def reason(job: Job) -> str:
    """Say why pictures could not be read, or, if there are several reasons, the commonest."""
    reasons = Counter(each.message for each in job.results if isinstance(each, RecogniserError))
    [(message, _)] = reasons.most_common(1)
    said = html.escape(message[:1].upper() + message[1:])
    return f"Most often: {said}" if len(reasons) > 1 else said


def left_out(upload: Upload) -> str:
    """Say which files gave no picture; nothing, if there are none."""
    lines = [f"{count(upload.others, 'file')} left out: no pictures"] if upload.others else []
    lines += [html.escape(each) for each in upload.refusals[:SHOWN]]
    if len(upload.refusals) > SHOWN:
        lines.append(f"and {len(upload.refusals) - SHOWN:,} more files refused")
    return "".join(f'<p class="ink-left-out">{line}</p>' for line in lines)


def accuracy(found: Score) -> str:
    """Say how many labelled pictures were read right, and the commonest mistakes."""
    low, high = (100 * bound for bound in found.interval)
    unread = f"; {count(found.unread, 'labelled picture')} not read" if found.unread else ""
    line = (
        f"<strong>Accuracy {100 * found.accuracy:.1f} %</strong> (95 % interval {low:.1f} to {high:.1f}): "
        f"{found.right:,} of {found.read:,} pictures in folders named after labels{unread}"
    )
    mistakes = [(pair, times) for pair, times in found.confusion.most_common() if pair[0] != pair[1]]
    said = [f"{html.escape(truth)} as {html.escape(label)} ({times:,})" for (truth, label), times in mistakes[:SHOWN]]
    commonest = f"<p>Most often mistaken: {', '.join(said)}</p>" if said else ""
    return f'<section class="ink-batch"><p>{line}</p>{commonest}</section>'


def folder_hint(labels: Sequence[str]) -> str:
    """Say how the page comes to know what pictures show."""
    return f"Pictures in folders named after labels, such as {labels[7]}/scan.png, also give the accuracy."


def count(number: int, thing: str) -> str:
    """Write a number with its thing, in the singular for one."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Write a time to be read at a glance."""
    if seconds < SECONDS:
        return f"{seconds:.1f} s" if seconds < SECONDS / 6 else f"{seconds:.0f} s"
    return f"{int(seconds) // SECONDS} min {int(seconds) % SECONDS} s"
