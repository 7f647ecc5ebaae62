"""A campaign of bad input: the corpus and mutated requests, with valid requests between them, against one server."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from deploy.local.settings import ROOT
from measuring.reliability import CampaignError
from measuring.reliability.answer_counts import AnswerCounts
from measuring.reliability.corpus import corpus
from measuring.reliability.corpus.case import Case
from measuring.reliability.corpus.zip_npy import CANARY
from measuring.reliability.expected import compare_with_api
from measuring.reliability.fuzzing import Mutant, generate
from measuring.reliability.http_wire import CLOSED, LIMIT_S, Answer, load, send
from measuring.reliability.reliability_page import Findings, StatusCount
from measuring.reliability.server_state import read_state
from measuring.reliability.valid_requests import ValidAnswers, sending_valid_requests
from measuring.reliability.verdict import judge_answers, judge_server, judge_valid_requests

REQUESTS = 20_000
CONNECTIONS = 2  # more would measure their own queue: four connections of valid requests make p99 2.6 times as long
CORPUS_SHARE = 0.25  # of the requests, at most
WARM_UP_SHARE = 0.2  # of the requests, sent before the measurement: memory that is taken once is not growth
IDLE_S = 15.0  # about 1,000 requests
SETTLING_S = 2.0  # in which workers return the memory of large requests
FOLDER = ROOT / "runs" / "reliability"


@dataclass(frozen=True)
class Campaign:
    """What is sent where.

    Attributes:
        url: of the inference API.
        management_url: of the management API; its workers run on this machine.
        requests: number of bad requests after the warm-up.
        seed: of everything random.
        connections: at the same time.
        limit_s: for each answer.
        cases: of the corpus; each is sent at least once.
        folder: for unexpected answers.
    """

    url: str
    management_url: str
    requests: int = REQUESTS
    seed: int = 0
    connections: int = CONNECTIONS
    limit_s: float = LIMIT_S
    cases: Sequence[Case] = field(default_factory=corpus)
    folder: Path = FOLDER


def run(campaign: Campaign) -> Findings:
    """Run a campaign.

    Raises:
        CampaignError: the server does not answer, or is not on this machine.
    """
    idle = send_valid_to_idle(campaign)
    print(f"seed {campaign.seed}; {len(idle.times_ms)} valid requests to an idle server: p99 {idle.p99_ms:.1f} ms")
    CANARY.unlink(missing_ok=True)
    warm_up = replace(campaign, requests=int(campaign.requests * WARM_UP_SHARE), seed=campaign.seed + 1)
    send_all(warm_up, choose_requests(warm_up), "warm-up")
    requests = choose_requests(campaign)
    time.sleep(SETTLING_S)
    before = read_state(campaign.management_url)
    with sending_valid_requests(campaign.url, campaign.limit_s) as loaded:
        started = time.monotonic()
        counts = send_all(campaign, requests, "bad input")
        time_s = time.monotonic() - started
    kept = counts.write(campaign.folder)  # before anything that fails where the server has gone
    time.sleep(SETTLING_S)
    after = read_state(campaign.management_url)
    criteria = [*judge_answers(counts), *judge_valid_requests(idle, loaded), *judge_server(before, after)]
    sent = f"{counts.total:,} requests in {time_s:.0f} s over {campaign.connections} connections"
    statuses = [StatusCount(status, kind, number) for (status, kind), number in counts.kinds.most_common()]
    again = [f"kept in {kept}: python -m measuring.reliability --again {kept}"] if kept else []
    return Findings(criteria, statuses, [f"seed {campaign.seed}; {sent}", *counts.notes(), *again])


def send_valid_to_idle(campaign: Campaign) -> ValidAnswers:
    """Send valid requests alone.

    Raises:
        CampaignError: the first answer is wrong.
    """
    with sending_valid_requests(campaign.url, campaign.limit_s) as answers:
        if answers.errors:
            raise CampaignError(f"{campaign.url} reads no picture: {answers.errors[0]}; start it with `make up`")
        time.sleep(IDLE_S)
    return answers


def choose_requests(campaign: Campaign) -> list[Case | Mutant]:
    """Make a campaign's requests before any is sent: making them costs as much time as answering them."""
    cases = choose_cases(campaign.cases, int(campaign.requests * CORPUS_SHARE))
    requests: list[Case | Mutant] = [*cases, *mutants(campaign.requests - len(cases), campaign.seed)]
    random.Random(campaign.seed).shuffle(requests)  # noqa: S311 - no secret
    return requests


def choose_cases(cases: Sequence[Case], count: int) -> list[Case]:
    """Choose about `count` cases: the large ones once, the others equally often, at least once."""
    small, large = ([each for each in cases if each.is_large is is_large] for is_large in (False, True))
    return large + small * max(1, (count - len(large)) // max(1, len(small)))


def mutants(count: int, seed: int) -> list[Mutant]:
    """Return so many mutated requests."""
    made: list[Mutant] = []
    while len(made) < count:
        generate(count - len(made), seed + len(made), made.append)
    return made[: max(0, count)]


def send_all(campaign: Campaign, requests: Iterable[Case | Mutant], title: str) -> AnswerCounts:
    """Send requests over the campaign's connections and count the answers."""
    host, port = address_of(campaign.url)
    counts = AnswerCounts()
    room = threading.Semaphore(2 * campaign.connections)  # large bodies are not made before they can be sent

    def send_one(each: Case | Mutant) -> None:
        try:
            answer = send(host, port, each.request, campaign.limit_s)
        except OSError as err:
            answer = Answer(CLOSED, str(err).encode(), timed_out=True)  # nothing listens any more
        finally:
            room.release()
        counts.add(each.name, each.request, answer, each.expected if isinstance(each, Case) else None)

    with ThreadPoolExecutor(campaign.connections) as pool:
        futures = []
        for each in tqdm(requests, desc=title, unit="request", disable=None):
            room.acquire()
            futures.append(pool.submit(send_one, each))
    for future in futures:
        future.result()
    return counts


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of a URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 80


def send_again(url: str, path: Path, limit_s: float, show: Callable[[str], object] = print) -> int:
    """Send the requests that a campaign has kept; 1 if an answer to one of them still breaks the API's rules.

    Raises:
        CampaignError: the file holds no requests.
    """
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        requests = [(line["name"], load(line["request"])) for line in lines]
    except (OSError, ValueError, KeyError) as err:
        raise CampaignError(f"{path} holds no requests: {err}") from err
    errors = []
    for name, request in requests:
        answer = send(*address_of(url), request, limit_s)
        errors.append(compare_with_api(request, answer))
        show(f"{name}: {errors[-1] or f'status {answer.status} {answer.type}'}")
    return int(any(errors))
