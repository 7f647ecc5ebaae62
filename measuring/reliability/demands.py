"""What is demanded of a server under bad input, and whether it is met."""

from collections.abc import Iterable

from measuring.reliability.archives import CANARY
from measuring.reliability.outcome import Row
from measuring.reliability.probe import Probed
from measuring.reliability.server import State
from measuring.reliability.tally import Tally

MOST_RATIO = 3.0  # of the valid requests' p99 to that without anything else
MOST_GROWTH = 0.05  # of a worker's memory
MOST_DESCRIPTORS = 20  # more than before: connections that are being closed


def answer_rows(tally: Tally) -> Iterable[Row]:
    """Say whether all answers were as documented."""
    total = sum(tally.kinds.values())
    others = len(tally.unexpected)
    yield Row("bad requests answered as documented", f"all of {total:,}", f"all but {others:,}", others == 0)
    server_errors = sum(number for (status, _), number in tally.kinds.items() if status >= 500)  # noqa: PLR2004
    yield Row("answers of 5xx", "0", f"{server_errors:,}", server_errors == 0)
    yield Row("requests without an answer in time", "0", f"{tally.hung:,}", tally.hung == 0)


def probe_rows(idle: Probed, probed: Probed) -> Iterable[Row]:
    """Say how valid requests fared."""
    right, total = len(probed.times_ms), len(probed.times_ms) + len(probed.faults)
    yield Row("valid requests between them, right", f"all of {total:,}", f"{right:,}", right == total > 0)
    ratio = probed.p99_ms / idle.p99_ms
    found = f"{ratio:.2f} x ({probed.p99_ms:.1f} ms; idle {idle.p99_ms:.1f} ms, n = {len(idle.times_ms)})"
    yield Row("p99 of the valid requests", f"< {MOST_RATIO:g} x that of an idle server", found, ratio < MOST_RATIO)


def server_rows(before: State, after: State) -> Iterable[Row]:
    """Say what the server has lost or gained."""
    restarts = after.restarts(before)
    yield Row("workers that ended", "0", ", ".join(restarts) or "0", not restarts)
    growth = after.growth(before)
    worst = max(growth, key=growth.__getitem__, default=None)
    found = (
        f"{growth[worst]:+.1%} ({worst}, {before.memory[worst] / 2**20:.0f} MiB before)" if worst else "all are gone"
    )
    within = worst is not None and growth[worst] < MOST_GROWTH
    yield Row("memory of the worker that grew most", f"< +{MOST_GROWTH:.0%}", found, within)
    uploads = len(after.uploads - before.uploads)
    yield Row("files of requests left behind", "0", f"{uploads:,}", uploads == 0)
    more = after.descriptors - before.descriptors
    yield Row("more descriptors of the front end", f"at most {MOST_DESCRIPTORS}", f"{more:+}", more <= MOST_DESCRIPTORS)


def safety_rows(broken: int) -> Iterable[Row]:
    """Say whether a request could do more than be answered."""
    yield Row("pickles that were opened", "0", str(int(CANARY.exists())), not CANARY.exists())
    yield Row("lines of requests.log that are no JSON", "0", f"{broken:,}", broken == 0)
