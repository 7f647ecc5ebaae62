"""The criteria that a server has to meet under bad input."""

from collections.abc import Iterable

from measuring.common.criteria import Criterion
from measuring.reliability.answer_counts import AnswerCounts
from measuring.reliability.corpus.zip_npy import CANARY
from measuring.reliability.server_state import ServerState
from measuring.reliability.valid_requests import ValidAnswers

MAX_P99_RATIO = 3.0  # of the valid requests' p99 to that of an idle server
MAX_GROWTH = 0.05  # of a worker's memory
MAX_NEW_DESCRIPTORS = 20  # of connections that are being closed
SERVER_ERROR = 500


def judge_answers(counts: AnswerCounts) -> Iterable[Criterion]:
    """Judge the answers to bad requests."""
    total, wrong = counts.total, len(counts.unexpected)
    errors = sum(number for (status, _), number in counts.kinds.items() if status >= SERVER_ERROR)
    yield Criterion("bad requests answered as documented", f"all of {total:,}", f"all but {wrong:,}", wrong == 0)
    yield Criterion("5xx answers", "0", f"{errors:,}", errors == 0)
    yield Criterion("requests without an answer in time", "0", f"{counts.timed_out:,}", counts.timed_out == 0)


def judge_valid_requests(idle: ValidAnswers, loaded: ValidAnswers) -> Iterable[Criterion]:
    """Judge the answers to valid requests between the bad ones."""
    right, total = len(loaded.times_ms), len(loaded.times_ms) + len(loaded.errors)
    answered = "valid requests between them, answered right"
    yield Criterion(answered, f"all of {total:,}", f"{right:,}", right == total > 0)
    ratio = loaded.p99_ms / idle.p99_ms
    found = f"{ratio:.2f} x ({loaded.p99_ms:.1f} ms; idle {idle.p99_ms:.1f} ms, n = {len(idle.times_ms)})"
    wanted = f"< {MAX_P99_RATIO:g} x that of an idle server"
    yield Criterion("p99 of the valid requests", wanted, found, ratio < MAX_P99_RATIO, is_timed=True)


def judge_server(before: ServerState, after: ServerState) -> Iterable[Criterion]:
    """Judge what has changed in the server."""
    restarted = after.restarted(before)
    yield Criterion("workers that ended", "0", ", ".join(restarted) or "0", not restarted)
    growth = after.growth(before)
    worst = max(growth, key=growth.__getitem__, default=None)
    found = "all have ended"
    if worst is not None:
        found = f"{growth[worst]:+.1%} ({worst}, {before.memory_bytes[worst] / 2**20:.0f} MiB before)"
    is_small = worst is not None and growth[worst] < MAX_GROWTH
    yield Criterion("memory of the worker that grew most", f"< +{MAX_GROWTH:.0%}", found, is_small)
    uploads = len(after.uploads - before.uploads)
    yield Criterion("temporary files left behind", "0", f"{uploads:,}", uploads == 0)
    more = after.descriptors - before.descriptors
    wanted = f"at most {MAX_NEW_DESCRIPTORS}"
    yield Criterion("additional descriptors of the front end", wanted, f"{more:+}", more <= MAX_NEW_DESCRIPTORS)
    unpickled = CANARY.exists()
    yield Criterion("pickles that were loaded", "0", str(int(unpickled)), not unpickled)
    broken = after.broken_log_lines - before.broken_log_lines
    yield Criterion("lines of requests.log that are not JSON", "0", f"{broken:,}", broken == 0)
