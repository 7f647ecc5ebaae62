"""Three real servers behind the recommended HAProxy: ending, killing and updating nodes under load."""

import shutil
from pathlib import Path

import pytest

from deploy.checksums import copy_archive
from deploy.local.settings import ROOT
from measuring.common.altered_archives import alter_archive
from measuring.reliability.faults.background_load import BackgroundLoad
from tests.deployment.balancer import balancing
from tests.deployment.nodes import TOKEN, can_make, nodes
from tests.deployment.test_balancer import wait_healthy

pytestmark = [
    pytest.mark.deployment,
    pytest.mark.skipif(
        shutil.which("haproxy") is None or not can_make(), reason="needs haproxy, and root for namespaces"
    ),
]
DIGITS = ROOT / "model_store" / "digits-1.0.mar"
PATIENCE_S = 300


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    copy_archive(DIGITS, folder)
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory, store):
    with nodes(tmp_path_factory.mktemp("nodes"), store) as found:
        yield found


@pytest.fixture
def balancer(running, tmp_path):
    with balancing(tmp_path, [each.address for each in running]) as found:
        wait_healthy(found, 3)
        yield found


def test_a_node_that_ends_loses_nothing(balancer, running, seven):
    with BackgroundLoad(balancer.ask(seven, TOKEN)) as load:
        assert load.wait_for_answers(50)
        assert running[0].end() == 0
        assert load.wait_for_answers(50)
        running[0].start()
        running[0].wait_ready()
        wait_healthy(balancer, 3)
        assert load.wait_for_answers(50)
    assert not load.failed(), str(load)


def test_a_killed_node_loses_nothing_that_may_be_sent_again(balancer, running, seven):
    with BackgroundLoad(balancer.ask(seven, TOKEN)) as load:
        assert load.wait_for_answers(50)
        running[1].kill()
        assert load.wait_for_answers(100)
        running[1].start()
        running[1].wait_ready()
        wait_healthy(balancer, 3)
    assert not load.failed(), str(load)


def test_a_rolling_update_loses_nothing(balancer, running, store, seven):
    alter_archive(DIGITS, store, "digits", "1.1", "")
    (store / "digits-1.0.mar").rename(store / "digits-1.0.old")
    with BackgroundLoad(balancer.ask(seven, TOKEN)) as load:
        assert load.wait_for_answers(50)
        for each in running:
            assert each.end() == 0
            each.start()
            each.wait_ready()
            wait_healthy(balancer, 3)
        assert load.wait_for_answers(50)
    assert not load.failed(), str(load)
    versions = {each["version"] for each in balancer.get("/ready").json()["versions"]}
    assert versions == {"1.1"}
