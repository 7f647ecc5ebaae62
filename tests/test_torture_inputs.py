"""Bad input against the real server: the corpus, request by request, and random changes of valid ones."""

import pytest
import requests
from hypothesis import given, settings

from measuring.reliability.archives import CANARY
from measuring.reliability.corpus import Entry, corpus
from measuring.reliability.judge import complaint, fault
from measuring.reliability.server import broken_log_lines, look
from measuring.reliability.strategies import QUIET, Mutant, mutants
from measuring.reliability.wire import Answer, Request, send
from tests.conftest import RunningStack

pytestmark = pytest.mark.server

# Each keeps the server for 3 to 12 s, by design; `python -m measuring.reliability.inputs` sends them
LONG = (
    "form of 16 MB of tiny parts of one name",
    "form of 150,000 tiny parts",
    "form of 60 pictures of 25 megapixels",
    "ZIP of 60 pictures of 25 megapixels",
    "JSON: 200 pictures of 4 megapixels",
)
EXAMPLES = 400


@pytest.fixture(scope="module")
def server(stack) -> RunningStack:
    """The stack, in which at the end the same workers run, nothing is left behind and nothing was unpickled."""
    CANARY.unlink(missing_ok=True)
    before, broken = look(stack.management_url), broken_log_lines(stack.management_url)
    yield stack
    after = look(stack.management_url)
    assert not after.restarts(before)
    assert not after.uploads - before.uploads
    assert broken_log_lines(stack.management_url) == broken
    assert not CANARY.exists()


def ask(server: RunningStack, request: Request) -> Answer:
    return send("127.0.0.1", server.settings.ports["INFERENCE_PORT"], request)


def test_all_of_the_corpus_has_names_of_its_own():
    names = [entry.name for entry in corpus()]
    assert len(names) == len(set(names))
    assert set(LONG) < set(names)


@pytest.mark.parametrize("entry", [each for each in corpus() if each.name not in LONG], ids=lambda entry: entry.name)
def test_a_request_of_the_corpus_is_answered_as_wanted(server, entry: Entry):
    answer = ask(server, entry.request)
    assert not complaint(answer, entry.wanted), answer.body[:500]


def test_changed_requests_are_answered_as_documented(server, seven):
    @settings(max_examples=EXAMPLES, derandomize=True, **QUIET)
    @given(mutants())
    def each(mutant: Mutant) -> None:
        answer = ask(server, mutant.request)
        assert not fault(mutant.request, answer), answer.body[:500]

    each()
    assert requests.post(server.predictions_url, data=seven, timeout=20).json()["label"] == "7"
