"""Bad input: `python -m measuring.reliability.inputs`, a campaign against a running server.

Sends the corpus and random changes of valid requests over a few connections, and valid requests between them, and says
what came: exit code 1 if a demand is not met. What was answered otherwise than it should be is kept in runs/torture.
"""

import argparse
import json
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from deploy.local.settings import ROOT
from measuring.reliability.archives import CANARY
from measuring.reliability.corpus import Entry, corpus
from measuring.reliability.demands import answer_rows, probe_rows, safety_rows, server_rows
from measuring.reliability.errors import TortureError
from measuring.reliability.judge import fault
from measuring.reliability.outcome import Count, Outcome
from measuring.reliability.probe import Probed, probing
from measuring.reliability.server import broken_log_lines, look
from measuring.reliability.strategies import Mutant, generate
from measuring.reliability.tally import Shot, Tally, keep, notes
from measuring.reliability.wire import LIMIT_S, Answer, load, send

REQUESTS = 20_000
CONNECTIONS = 2  # more would measure the queue that they fill: four of valid requests alone make p99 2.6 times as long
CORPUS_SHARE = 0.25  # of the requests, at most
WARM_UP_SHARE = 0.2  # as many again before, of the same kinds: memory that is taken once is no growth
IDLE_S = 15.0  # about 1,000 requests
SETTLING_S = 2.0  # in which workers give back what large requests have taken
RUNS = ROOT / "runs" / "torture"


@dataclass(frozen=True)
class Campaign:
    """What is sent where.

    Attributes:
        url: of the inference API.
        management_url: of the management API, whose workers run on this machine.
        requests: how many bad ones, after the warm-up.
        seed: of all that is random.
        connections: at once.
        limit_s: for each answer.
        entries: of the corpus, each of which is sent even if they are more than the requests.
        folder: for unexpected answers.
    """

    url: str
    management_url: str
    requests: int = REQUESTS
    seed: int = 0
    connections: int = CONNECTIONS
    limit_s: float = LIMIT_S
    entries: Sequence[Entry] = field(default_factory=corpus)
    folder: Path = RUNS


class Sender:
    """Sends requests over so many connections at once, each for one request."""

    def __init__(self, campaign: Campaign, tally: Tally) -> None:
        parts = urlsplit(campaign.url)
        self.address = parts.hostname or "", parts.port or 80
        self.tally, self.limit_s = tally, campaign.limit_s
        self.pool = ThreadPoolExecutor(campaign.connections)
        self.room = threading.Semaphore(2 * campaign.connections)  # so that no more are made than are sent

    def take(self, shot: Shot) -> None:
        """Send a request when its turn comes; waits while too many do."""
        self.room.acquire()
        self.pool.submit(self._send, shot)

    def finish(self) -> None:
        """Wait for all."""
        self.pool.shutdown()

    def _send(self, shot: Shot) -> None:
        try:
            answer = send(*self.address, shot.request, self.limit_s)
        except OSError as err:
            answer = Answer(0, str(err).encode(), hung=True)  # nobody listens any more
        finally:
            self.room.release()
        self.tally.add(shot, answer)


def run(campaign: Campaign) -> Outcome:
    """Run a campaign.

    Raises:
        TortureError: the server does not answer, or is not on this machine.
    """
    url, limit_s = campaign.url, campaign.limit_s
    idle = probe_idle(url, limit_s)
    print(f"seed {campaign.seed}; {len(idle.times_ms)} valid requests to an idle server: p99 {idle.p99_ms:.1f} ms")
    CANARY.unlink(missing_ok=True)
    warm_up = replace(campaign, requests=int(campaign.requests * WARM_UP_SHARE), seed=campaign.seed + 1)
    bombard(warm_up, arrange(warm_up), Tally(), "warm-up")
    shots = arrange(campaign)
    time.sleep(SETTLING_S)
    before, broken = look(campaign.management_url), broken_log_lines(campaign.management_url)
    tally = Tally()
    with probing(url, limit_s) as probed:
        started = time.monotonic()
        bombard(campaign, shots, tally, "bad input")
        time_s = time.monotonic() - started
    kept = keep(tally, campaign.folder)  # first of all: the server may be gone
    time.sleep(SETTLING_S)
    after, broken = look(campaign.management_url), broken_log_lines(campaign.management_url) - broken
    rows = [*answer_rows(tally), *probe_rows(idle, probed), *server_rows(before, after), *safety_rows(broken)]
    counts = [Count(status, kind, number) for (status, kind), number in tally.kinds.most_common()]
    return Outcome(rows, counts, [*notes(tally, time_s, campaign.seed, campaign.connections), *kept])


def arrange(campaign: Campaign) -> list[Entry | Mutant]:
    """Make a campaign's requests before any is sent: making them takes as much of the machine as answering them."""
    chosen = from_corpus(campaign.entries, int(campaign.requests * CORPUS_SHARE))
    shots: list[Entry | Mutant] = [*chosen, *made(campaign.requests - len(chosen), campaign.seed)]
    random.Random(campaign.seed).shuffle(shots)  # noqa: S311 - no secret
    return shots


def probe_idle(url: str, limit_s: float) -> Probed:
    """Send valid requests to a server that does nothing else.

    Raises:
        TortureError: it does not read the first.
    """
    with probing(url, limit_s) as probed:
        if probed.faults:
            raise TortureError(f"{url} reads no picture: {probed.faults[0]}; start it with `make up`")
        time.sleep(IDLE_S)
    return probed


def bombard(campaign: Campaign, shots: Sequence[Entry | Mutant], tally: Tally, what: str) -> None:
    """Send a campaign's requests."""
    sender = Sender(campaign, tally)
    for shot in tqdm(shots, desc=what, unit="request", disable=None):
        sender.take(Shot(*shot) if isinstance(shot, Mutant) else Shot(shot.name, shot.request, shot.wanted))
    sender.finish()


def made(count: int, seed: int) -> list[Mutant]:
    """Return so many changed requests."""
    mutants: list[Mutant] = []
    while len(mutants) < count:
        generate(count - len(mutants), seed + len(mutants), mutants.append)
    return mutants[: max(0, count)]


def from_corpus(entries: Sequence[Entry], count: int) -> list[Entry]:
    """Choose from the corpus: the large ones once, the others as often as go into the count, but once."""
    small = [each for each in entries if not each.is_large]
    large = [each for each in entries if each.is_large]
    rounds = max(1, (count - len(large)) // max(1, len(small)))
    return large + small * rounds


def send_again(url: str, path: Path, limit_s: float, show: Callable[[str], object] = print) -> int:
    """Send kept requests again; 1 if one of them still has an answer that cannot be right.

    Raises:
        TortureError: there are none.
    """
    parts = urlsplit(url)
    failed = 0
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        requests = [(line["name"], load(line["request"])) for line in lines]
    except (OSError, ValueError, KeyError) as err:
        raise TortureError(f"{path} holds no requests: {err}") from err
    for name, request in requests:
        answer = send(parts.hostname or "", parts.port or 80, request, limit_s)
        wrong = fault(request, answer)
        failed += bool(wrong)
        show(f"{name}: {wrong or f'status {answer.status} {answer.type}'}")
    return int(failed > 0)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m measuring.reliability.inputs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="of the inference API (default: %(default)s)")
    parser.add_argument("--management", default="http://127.0.0.1:8081", help="(default: %(default)s)")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help="at once (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="s for each answer (default: %(default)s)")
    parser.add_argument("--again", type=Path, help="send what this file keeps of a campaign, and nothing else")
    return parser.parse_args()


def main() -> int:
    """Run from the command line; 1 if a demand is not met, or the campaign could not be run."""
    options = parse()
    try:
        if options.again:
            return send_again(options.url, options.again, options.limit)
        outcome = run(
            Campaign(
                options.url, options.management, options.requests, options.seed, options.connections, options.limit
            )
        )
    except TortureError as err:
        print(f"torture: {err}", file=sys.stderr)
        return 1
    show(outcome)
    return int(not outcome.reached)


def show(outcome: Outcome) -> None:
    """Print what a campaign has found."""
    for row in outcome.rows:
        print(f"{'ok    ' if row.reached else 'MISSED'} {row.what}: {row.found}; wanted {row.wanted}")
    for count in outcome.counts:
        print(f"{count.answers:8,} answers {count.status or 'none'} {count.type}")
    for note in outcome.notes:
        print(note)


if __name__ == "__main__":
    sys.exit(main())
