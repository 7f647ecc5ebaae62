"""Bad input against the real server: the corpus, request by request, and mutated requests."""

import pytest
import requests
from hypothesis import given, settings

from measuring.reliability.corpus import corpus
from measuring.reliability.corpus.case import Case
from measuring.reliability.corpus.zip_npy import CANARY
from measuring.reliability.expected import compare, compare_with_api
from measuring.reliability.fuzzing import QUIET, Mutant, mutants
from measuring.reliability.http_wire import Answer, Request, send
from measuring.reliability.server_state import read_state
from tests.conftest import RunningStack

pytestmark = [pytest.mark.server, pytest.mark.campaign]

# Each keeps the server busy for 3 to 12 s by design; `python -m measuring.reliability` sends them
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
    before = read_state(stack.management_url)
    yield stack
    after = read_state(stack.management_url)
    assert not after.restarted(before)
    assert not after.uploads - before.uploads
    assert after.broken_log_lines == before.broken_log_lines
    assert not CANARY.exists()


def ask(server: RunningStack, request: Request) -> Answer:
    return send("127.0.0.1", server.settings.ports["INFERENCE_PORT"], request)


def test_each_case_of_the_corpus_has_a_name_of_its_own():
    names = [case.name for case in corpus()]
    assert len(names) == len(set(names))
    assert set(LONG) < set(names)


@pytest.mark.quick
@pytest.mark.parametrize("case", [each for each in corpus() if each.name not in LONG], ids=lambda case: case.name)
def test_a_request_of_the_corpus_is_answered_as_expected(server, case: Case):
    answer = ask(server, case.request)
    assert not compare(answer, case.expected), answer.body[:500]


def test_mutated_requests_are_answered_as_documented(server, seven):
    @settings(max_examples=EXAMPLES, derandomize=True, **QUIET)
    @given(mutants())
    def each(mutant: Mutant) -> None:
        answer = ask(server, mutant.request)
        assert not compare_with_api(mutant.request, answer), answer.body[:500]

    each()
    assert requests.post(server.predictions_url, data=seven, timeout=20).json()["label"] == "7"
