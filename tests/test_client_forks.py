"""A client that was made before a fork, as by multiprocessing or gunicorn --preload."""

import json
import os
import subprocess
import sys
import threading

import pytest

from deploy.local.settings import ROOT
from inkserve.client.tokens import KeyFile
from tests.answering import SEVEN, answering
from tests.conftest import drawings

PROCESSES, REQUESTS = 4, 25
SCRIPT = """
import json, multiprocessing, sys
from inkserve import Recogniser

url, count, pictures = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
client = Recogniser("digits", url)
client.predict(pictures[0])  # the connection stays open

def read(picture):
    return [client.predict(picture).label for _ in range(count)]

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with context.Pool(len(pictures)) as pool:
        print(json.dumps(pool.map(read, pictures, chunksize=1)))
"""


def labels_after_forks(url: str) -> list[list[str]]:
    command = [sys.executable, "-c", SCRIPT, url, str(REQUESTS), *drawings()[: 2 * PROCESSES : 2]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.server
def test_forked_processes_get_the_answers_to_their_own_pictures(stack):
    wanted = [[path.name[0]] * REQUESTS for path in drawings()[: 2 * PROCESSES : 2]]
    assert len({each[0] for each in wanted}) > 1
    assert labels_after_forks(stack.inference_url) == wanted


def test_each_forked_process_opens_a_connection_of_its_own():
    connections = set()
    with answering((200, SEVEN)) as server:
        accept = server.process_request
        server.process_request = lambda request, address: (connections.add(address), accept(request, address))
        labels_after_forks(server.url)
    assert len(connections) == 1 + PROCESSES


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 warns where pytest has threads
def test_a_lock_that_another_thread_held_at_a_fork_is_free_in_the_child(tmp_path):
    token = KeyFile(tmp_path / "key_file.json")
    with token._lock:
        child = os.fork()
        if child == 0:
            threading.Timer(20, os._exit, [1]).start()
            os._exit(0 if token.refresh("old") == "" else 2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
