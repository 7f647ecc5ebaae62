"""Bad input: `python -m torture.inputs`, a campaign against a running server.

Sends the corpus and random changes of valid requests over a few connections, and valid requests between them, and says
what came: exit code 1 if a demand is not met. What was answered otherwise than it should be is kept in runs/torture.
"""

import argparse
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from deploy.local.settings import ROOT
from torture.archives import CANARY
from torture.corpus import Entry, corpus
from torture.errors import TortureError
from torture.judge import Wanted, complaint, fault, is_front_ends
from torture.outcome import Count, Outcome, Row
from torture.probe import Probe, Probed, probe_idle
from torture.server import State, broken_log_lines, look
from torture.strategies import Mutant, generate
from torture.wire import LIMIT_S, Answer, Request, dump, load, send

REQUESTS = 20_000
CONNECTIONS = 4
CORPUS_SHARE = 0.25  # of the requests, at most
WARM_UP_SHARE = 0.2  # as many again before, of the same kinds: memory that is taken once is no growth
IDLE_PROBES = 300
MOST_RATIO = 3.0  # of the valid requests' p99 to that without anything else
MOST_GROWTH = 0.05  # of a worker's memory
MOST_DESCRIPTORS = 20  # more than before: connections that are being closed
SETTLING_S = 2.0
MOST_KEPT = 200  # unexpected answers
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


@dataclass(frozen=True)
class Shot:
    """A request to send, and what is wanted of its answer where somebody knows."""

    name: str
    request: Request
    wanted: Wanted | None = None


@dataclass
class Tally:
    """What has come back so far; one at a time may write to it.

    Attributes:
        kinds: answers by status and type.
        unexpected: names of requests and what was wrong with their answers.
        front_end: answers that FRONT_END_FAULTS allows, by name and type.
        hung: requests without an answer.
        slowest: names of requests by s.
        kept: unexpected ones as lines of JSON, so that they can be sent again.
    """

    kinds: Counter[tuple[int, str]] = field(default_factory=Counter)
    unexpected: list[tuple[str, str]] = field(default_factory=list)
    front_end: Counter[tuple[str, str]] = field(default_factory=Counter)
    hung: int = 0
    slowest: dict[str, float] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, shot: Shot, answer: Answer) -> None:
        """Judge an answer, and count it."""
        wrong = complaint(answer, shot.wanted) if shot.wanted else fault(shot.request, answer)
        with self.lock:
            self.kinds[answer.status, answer.type] += 1
            self.hung += answer.hung
            self.slowest[shot.name] = max(self.slowest.get(shot.name, 0.0), answer.time_s)
            if not wrong:
                return
            if is_front_ends(shot.name, answer):
                self.front_end[shot.name, answer.type] += 1
                return
            self.unexpected.append((shot.name, wrong))
            if len(self.kept) < MOST_KEPT:
                line = {"name": shot.name, "wrong": wrong, "status": answer.status, "type": answer.type}
                self.kept.append(json.dumps(line | {"request": dump(shot.request)}))


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
    idle = probe_idle(url, IDLE_PROBES, limit_s)
    if not idle.times_ms:
        raise TortureError(f"{url} reads no picture: {idle.faults[0]}; start it with `make up`")
    print(f"seed {campaign.seed}; {len(idle.times_ms)} valid requests to an idle server: p99 {idle.p99_ms:.1f} ms")
    CANARY.unlink(missing_ok=True)
    warm_up = replace(campaign, requests=int(campaign.requests * WARM_UP_SHARE), seed=campaign.seed + 1)
    bombard(warm_up, Tally(), "warm-up")
    time.sleep(SETTLING_S)
    before, broken = look(campaign.management_url), broken_log_lines(campaign.management_url)
    tally, probe = Tally(), Probe(url, limit_s).start()
    started = time.monotonic()
    bombard(campaign, tally, "bad input")
    time_s = time.monotonic() - started
    probed = probe.stop()
    time.sleep(SETTLING_S)
    after, broken = look(campaign.management_url), broken_log_lines(campaign.management_url) - broken
    kept = keep(tally, campaign.folder)
    rows = [*answer_rows(tally), *probe_rows(idle, probed), *server_rows(before, after), *safety_rows(broken)]
    counts = [Count(status, kind, number) for (status, kind), number in tally.kinds.most_common()]
    return Outcome(rows, counts, [*notes(tally, time_s, campaign.seed), *kept])


def bombard(campaign: Campaign, tally: Tally, what: str) -> None:
    """Send a campaign's requests, the corpus among them, its large ones once."""
    chance = random.Random(campaign.seed)  # noqa: S311 - no secret
    chosen = from_corpus(campaign.entries, int(campaign.requests * CORPUS_SHARE))
    # Made before, since making them would take the machine's time from the server
    shots: list[Entry | Mutant] = [*chosen, *made(campaign.requests - len(chosen), campaign.seed)]
    chance.shuffle(shots)
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


def keep(tally: Tally, folder: Path) -> Iterable[str]:
    """Write the unexpected answers down, with their requests."""
    path = folder / "unexpected.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in tally.kept))
    return [f"kept in {path}: python -m torture.inputs --again {path}"] if tally.kept else []


def answer_rows(tally: Tally) -> Iterable[Row]:
    """Say whether all answers were as documented."""
    total = sum(tally.kinds.values())
    others = len(tally.unexpected)
    yield Row("bad requests answered as documented", f"all of {total:,}", f"all but {others:,}", others == 0)
    server_errors = sum(number for (status, _), number in tally.kinds.items() if status >= 500)  # noqa: PLR2004
    allowed = sum(tally.front_end.values())
    found = f"{server_errors:,}" + (f", {allowed:,} of them known faults of TorchServe's front end" if allowed else "")
    yield Row("answers of 5xx", "0", found, server_errors == allowed)
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
    worst = max(growth, key=growth.__getitem__)
    found = f"{growth[worst]:+.1%} ({worst}, {before.memory[worst] / 2**20:.0f} MiB before)"
    yield Row("memory of the worker that grew most", f"< +{MOST_GROWTH:.0%}", found, growth[worst] < MOST_GROWTH)
    uploads = len(after.uploads - before.uploads)
    yield Row("files of requests left behind", "0", f"{uploads:,}", uploads == 0)
    more = after.descriptors - before.descriptors
    yield Row("more descriptors of the front end", f"at most {MOST_DESCRIPTORS}", f"{more:+}", more <= MOST_DESCRIPTORS)


def safety_rows(broken: int) -> Iterable[Row]:
    """Say whether a request could do more than be answered."""
    yield Row("pickles that were opened", "0", str(int(CANARY.exists())), not CANARY.exists())
    yield Row("lines of requests.log that are no JSON", "0", f"{broken:,}", broken == 0)


def notes(tally: Tally, time_s: float, seed: int) -> Iterable[str]:
    """Say what else there is to say, in a line each."""
    total = sum(tally.kinds.values())
    yield f"seed {seed}; {total:,} requests in {time_s:.0f} s"
    for name in sorted(tally.slowest, key=tally.slowest.__getitem__, reverse=True)[:5]:
        yield f"slow: {name}, {tally.slowest[name]:.2f} s"
    for (name, kind), number in tally.front_end.most_common():
        yield f"front end: 500 {kind} for {name}, {number:,} times"
    for (name, wrong), number in Counter(tally.unexpected).most_common(20):
        yield f"unexpected: {name}: {wrong[:200]}, {number:,} times"


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
        prog="python -m torture.inputs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
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
