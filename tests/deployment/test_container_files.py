"""Dockerfiles, composition, alerts' routes and the Space's repository, checked without an engine."""

import http.server
import json
import queue
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests
import yaml

from deploy.container import build, compose, preconditions, show
from deploy.local.settings import ROOT, StackError, free_ports, read_settings
from deploy.space.assemble import assemble
from inkserve.command import CommandError
from tests.deployment.tools import needs_tools, run_tool

CONTAINER = ROOT / "deploy" / "container"
ALERTMANAGER = ROOT / "deploy" / "prometheus" / "alertmanager.yml"
DOCKERFILES = sorted(ROOT.glob("deploy/*/Dockerfile"))
has_alertmanager = pytest.mark.skipif(
    shutil.which("prometheus-alertmanager") is None, reason="not installed: apt-get install prometheus-alertmanager"
)


@needs_tools
@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing(path):
    done = run_tool("hadolint", path)
    assert done.returncode == 0, done.stdout


@needs_tools
def test_the_composition_is_valid_and_closed():
    done = run_tool("docker-compose", "--file", CONTAINER / "compose.yaml", "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for name, service in found["services"].items():
        assert {port["host_ip"] for port in service.get("ports", [])} <= {"127.0.0.1"}, name
        assert "mem_limit" in service and "cpus" in service, name
        if name != "database":  # its entry point changes its user itself
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
    assert "PASSWORD" not in " ".join(
        each for each in found["services"]["dashboard"]["environment"] if "FILE" not in each
    )


@needs_tools
def test_services_wait_for_what_they_need():
    services = yaml.safe_load((CONTAINER / "compose.yaml").read_text())["services"]
    needs = {name: each.get("depends_on", {}) for name, each in services.items()}
    assert {each["condition"] for every in needs.values() for each in every.values()} == {"service_healthy"}
    assert set(needs["dashboard"]) == {"server", "database"}


def test_secrets_are_made_once_and_only_this_user_reaches_them(tmp_path):
    folder = tmp_path / "secrets"
    compose.make_secrets(folder)
    first = (folder / "database-password").read_text()
    compose.make_secrets(folder)
    assert (folder / "database-password").read_text() == first
    assert len(first) >= 32
    assert folder.stat().st_mode & 0o777 == 0o700


def test_git_has_no_secrets():
    done = subprocess.run(["git", "check-ignore", CONTAINER / "secrets" / "database-password"], cwd=ROOT, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("engine", build.ENGINES)
def test_each_engine_builds_with_health_checks(engine):
    command = build.build_command(engine, "server", "base@sha256:1", [])
    assert command[:2] == [engine, "build"]
    assert "PYTHON=base@sha256:1" in command
    assert ("--format" in command) == (engine != "docker")  # docker's own format has them, OCI's has not


def test_an_unknown_engine_is_named():
    with pytest.raises(build.BuildError, match="CONTAINER_ENGINE is 'lxc'; wanted one of docker, podman, buildah"):
        build.find_engine({"CONTAINER_ENGINE": "lxc"})


# --- what is checked before a start


def test_a_memory_limit_is_read_of_either_version_of_cgroups(tmp_path):
    new, old = tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes"
    assert preconditions.memory_limit_bytes([new, old]) is None
    new.write_text("max\n")
    assert preconditions.memory_limit_bytes([new, old]) is None
    old.write_text("1048576\n")
    assert preconditions.memory_limit_bytes([new, old]) == 1_048_576


def test_too_little_memory_is_an_error_that_says_how_much_is_wanted():
    archives = sorted((ROOT / "model_store").glob("digits-1.0.mar"))
    preconditions.check_memory(archives, 540 * preconditions.MIB)
    with pytest.raises(StackError, match="limit is 539 MiB; wanted at least 540 MiB for 2 workers"):
        preconditions.check_memory(archives, 539 * preconditions.MIB)


def test_a_damaged_archive_starts_nothing(tmp_path):
    for each in ("digits-1.0.mar", "digits-1.0.mar.sha256", "lenet5-1.0.mar", "lenet5-1.0.mar.sha256"):
        shutil.copy(ROOT / "model_store" / each, tmp_path)
    with (tmp_path / "lenet5-1.0.mar").open("ab") as file:
        file.write(b"more")
    settings = read_settings({"MODEL_STORE": str(tmp_path), "RUN_DIR": str(tmp_path / "run")})
    with pytest.raises(StackError, match=r"lenet5-1\.0\.mar has been changed or damaged.*nothing is served without it"):
        preconditions.check(settings)


def test_a_recogniser_without_an_archive_starts_nothing(tmp_path):
    settings = read_settings({"MODELS": "digits nosuch", "RUN_DIR": str(tmp_path)})
    with pytest.raises(StackError, match="MODELS names nosuch"):
        preconditions.check(settings)


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(StackError, match=r"RUN_DIR is .*/run, which cannot be written \(File exists\)"):
        preconditions.check(read_settings({"RUN_DIR": str(tmp_path / "run")}))


@pytest.mark.parametrize(("text", "words"), [(None, "cannot be read"), ("\n", "is empty")], ids=["missing", "empty"])
def test_a_wrong_password_file_is_named(tmp_path, text, words):
    path = tmp_path / "password"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CommandError, match=f"DATABASE_PASSWORD_FILE is .*{words}"):
        show.password({"DATABASE_PASSWORD_FILE": str(path)})


def test_the_dashboard_answers_to_the_names_of_its_proxies():
    command = show.command({"ALLOWED_HOSTS": "ink.example.com,me-inkserve.hf.space"})
    hosts = [command[i + 1] for i, word in enumerate(command) if word == "--server.allowedHosts"]
    assert hosts == ["127.0.0.1", "localhost", "ink.example.com", "me-inkserve.hf.space"]


# --- alerts


@has_alertmanager
def test_an_alert_is_delivered_and_one_of_a_server_that_is_down_silences_the_others(tmp_path):
    received: queue.Queue = queue.Queue()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

        def do_POST(self) -> None:
            received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        # Debian's Alertmanager is older than `url_file`, and the test does not wait as people do
        config = yaml.safe_load(ALERTMANAGER.read_text())
        [webhook] = config["receivers"][0]["webhook_configs"]
        del webhook["url_file"]
        webhook["url"] = f"http://127.0.0.1:{receiver.server_port}/"
        config["route"]["group_wait"] = "1s"
        config["route"]["routes"][0]["group_wait"] = "1s"
        (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(config))
        [port] = free_ports(1)
        command = [
            "prometheus-alertmanager",
            f"--config.file={tmp_path / 'alertmanager.yml'}",
            "--cluster.listen-address=",
        ]
        command += [f"--storage.path={tmp_path}", f"--web.listen-address=127.0.0.1:{port}"]
        with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as running:
            try:
                url = f"http://127.0.0.1:{port}"
                wait_for(lambda: requests.get(f"{url}/-/ready", timeout=5).ok)
                alerts = [
                    {"labels": {"alertname": "TorchServeDown", "severity": "critical", "instance": "i"}},
                    {"labels": {"alertname": "NoPredictions", "severity": "warning", "instance": "i"}},
                    {"labels": {"alertname": "NoPredictions", "severity": "warning", "instance": "another"}},
                ]
                assert requests.post(f"{url}/api/v2/alerts", json=alerts, timeout=20).ok
                groups = [received.get(timeout=60) for _ in range(2)]
            finally:
                running.kill()
        receiver.shutdown()
    sent = {(each["labels"]["alertname"], each["labels"]["instance"]) for group in groups for each in group["alerts"]}
    assert sent == {("TorchServeDown", "i"), ("NoPredictions", "another")}


def test_each_severity_of_the_rules_has_a_route():
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    inhibiting = yaml.safe_load(ALERTMANAGER.read_text())["inhibit_rules"][0]["source_matchers"][0]
    assert {"TargetDown", "TorchServeDown"} <= names
    assert all(name in inhibiting for name in ("TargetDown", "TorchServeDown"))


# --- the Space


def test_the_spaces_repository_has_all_that_its_image_copies(tmp_path):
    assemble(tmp_path / "space")
    dockerfile = (tmp_path / "space" / "Dockerfile").read_text()
    copied = [word for line in dockerfile.splitlines() if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert copied and all((tmp_path / "space" / each).exists() for each in copied)
    assert not list((tmp_path / "space").rglob("*.mar")) and not (tmp_path / "space" / "tests").exists()
    with pytest.raises(CommandError, match="is not empty"):
        assemble(tmp_path / "space")


@needs_tools
def test_the_spaces_card_is_valid():
    path = ROOT / "deploy" / "space" / "README.md"
    check = "import json, sys; from huggingface_hub import RepoCard; "
    check += "print(json.dumps(RepoCard.load(sys.argv[1]).data.to_dict()))"
    done = run_tool("python", "-c", check, path)
    card = json.loads(done.stdout)
    assert (card["sdk"], card["app_port"], card["license"]) == ("docker", 7860, "apache-2.0"), done.stderr
    assert len(card["short_description"]) <= 60
    assert "Nothing is kept here" in path.read_text()


def wait_for(is_so, patience_s: float = 60) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            if is_so():
                return
        except requests.RequestException:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_path_in_a_document_exists():
    for line in (ROOT / "docs" / "containers.md").read_text().splitlines():
        for target in (part.partition(")")[0] for part in line.split("](")[1:]):
            if not target.startswith("http"):
                assert Path(ROOT / "docs" / target.partition("#")[0]).exists(), target
