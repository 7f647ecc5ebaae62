"""What runs is on record, ports and folders included: later commands need no variable of `make up` again."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.checksums import copy_archive
from deploy.local.settings import ROOT, read_settings
from deploy.local.stack import Stack
from inkserve.command import run
from loadtest.__main__ import parse
from tests.conftest import port_variables, run_stack


@pytest.mark.server
def test_later_commands_find_ports_and_folders_in_the_record(tmp_path, tmp_path_factory, monkeypatch):
    """One server for all commands, as its start takes long."""
    store, elsewhere = tmp_path / "store", tmp_path_factory.mktemp("t", numbered=True)
    store.mkdir()
    copy_archive(ROOT / "model_store" / "digits-1.0.mar", store)
    ports = port_variables()
    run_dir = {"RUN_DIR": str(tmp_path / "run")}
    there = ports | run_dir | {"MODEL_STORE": str(store)}
    try:
        first = run_stack("up", there | {"TMPDIR": str(elsewhere)})
        assert first.returncode == 0, first.stderr
        assert len(list(elsewhere.glob("inkserve-*"))) == 1
        again = run_stack("up", there)
        assert (again.returncode, again.stderr) == (0, "")
        assert "starting" not in again.stdout

        status = run_stack("status", run_dir)
        assert status.returncode == 0, status.stdout
        assert f"http://127.0.0.1:{ports['INFERENCE_PORT']}/predictions/digits" in status.stdout
        assert "digits 1.0 reads examples/digits/7-1.png as '7'" in status.stdout

        monkeypatch.setattr(sys, "argv", ["loadtest"])
        monkeypatch.setenv("RUN_DIR", run_dir["RUN_DIR"])
        options = parse()
        assert options.host.endswith(f":{ports['INFERENCE_PORT']}")
        assert options.management.endswith(f":{ports['MANAGEMENT_PORT']}")
        assert options.metrics.endswith(f":{ports['METRICS_PORT']}/metrics")
        assert options.key_file == Path(run_dir["RUN_DIR"]) / "key_file.json"

        other = run_stack("up", ports | run_dir)
        assert (other.returncode, other.stderr.splitlines()) == (
            1,
            [f"up: already running with MODEL_STORE={store}: name the same, or `make down` first"],
        )
    finally:
        down = run_stack("down", run_dir)
    assert down.returncode == 0
    assert "torchserve stopped" in down.stdout
    assert not list(elsewhere.glob("inkserve-*"))


def test_without_a_running_server_the_settings_are_those_of_the_environment(tmp_path):
    stack = Stack(read_settings({"RUN_DIR": str(tmp_path), "INFERENCE_PORT": "1234"}))
    stack.record.write(
        {"ports": {"INFERENCE_PORT": 4321}, "temp_root": "/nowhere", "torchserve": {"pid": 1, "started": 0}}
    )
    assert Stack(stack.settings).as_running() == stack.settings


def test_an_output_that_nobody_reads_further_is_no_traceback():
    code = "from inkserve.command import run; run('many', lambda: print('line\\n' * 100_000))"
    command = ["bash", "-c", f'{sys.executable} -c "{code}" | head -1']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("line\n", "")


def test_the_exit_code_of_a_command_is_its_own(capsys):
    assert run("x", lambda: 3) == 3
    assert run("x", lambda: None) == 0
