"""Rules, alerts, the Grafana dashboard, what the page tells of workers, and `make monitoring`."""

import json
import re
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import requests
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

from deploy.exporter import FRESH_S, WorkerGauges, with_zeros, worker_families
from deploy.local.services import PROMETHEUS_SOURCE
from deploy.local.settings import ROOT, read_settings
from deploy.local.stack import Stack
from handwriting.errors import InvalidImage, RequestError
from handwriting.serving.worker_metrics import KINDS, Times, WorkerMetrics
from inkserve.management import Management, ModelVersion, Worker
from tests.answering import closed_port
from tests.conftest import port_variables, run_stack
from tests.prometheus import needs_prometheus, rules

GRAFANA = json.loads((ROOT / "deploy/grafana/inkserve.json").read_text())
CASES = yaml.safe_load((PROMETHEUS_SOURCE / "tests.yml").read_text())["tests"]
MODEL = "digits"


# The files


@needs_prometheus
@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "recording.yml", "alerts.yml"],
        ["test", "rules", "tests.yml"],
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(command):
    done = subprocess.run(
        ["promtool", *command], cwd=PROMETHEUS_SOURCE, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_says_what_it_is_and_how_bad():
    for rule in rules("alerts.yml"):
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    cases = [each for case in CASES for each in case["alert_rule_test"]]
    names = {rule["alert"] for rule in rules("alerts.yml")}
    assert {each["alertname"] for each in cases if each["exp_alerts"]} == names
    assert {each["alertname"] for each in cases if not each["exp_alerts"]} == names


def test_the_latency_that_alerts_is_that_of_the_load_tests_objective():
    objectives = tomllib.loads((ROOT / "loadtest/slo.toml").read_text())
    [rule] = [each for each in rules("alerts.yml") if each["alert"] == "LatencyOverObjective"]
    [limit_s] = re.findall(r"> ([\d.]+)\)", rule["expr"])
    assert float(limit_s) * 1000 == objectives["p99_ms"]


def test_the_grafana_dashboard_can_be_imported():
    assert [each["name"] for each in GRAFANA["__inputs"]] == ["DS_PROMETHEUS"]
    assert [each["name"] for each in GRAFANA["templating"]["list"]] == ["model", "version"]
    assert GRAFANA["id"] is None
    panels = GRAFANA["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {source["uid"] for source in sources} == {"${DS_PROMETHEUS}"}
        assert panel["description"]
    kinds = {each["id"] for each in GRAFANA["__requires"] if each["type"] == "panel"}
    assert kinds == {panel["type"] for panel in panels}


# What the page tells of workers


def loaded(is_ready: bool = True, pid: int = 7, memory: int = 0) -> ModelVersion:
    worker = Worker("9000", pid, is_ready, memory)
    return ModelVersion(MODEL, "1.0", is_default=True, workers=(worker,), wanted_workers=2, waiting=3)


def values(found: list[Metric]) -> dict[str, float]:
    return {sample.name.removeprefix("torchserve_"): sample.value for each in found for sample in each.samples}


def test_workers_are_counted_by_their_state():
    assert values(worker_families([loaded(memory=4096)])) == {
        "workers_wanted": 2,
        "workers_ready": 1,
        "queue_requests": 3,
        "worker_process_id": 7,
        "worker_memory_bytes": 4096,
    }


def test_a_worker_without_a_process_has_no_process_id():
    assert values(worker_families([loaded(is_ready=False, pid=0)])) == {
        "workers_wanted": 2,
        "workers_ready": 0,
        "queue_requests": 3,
    }


def test_a_version_scaled_to_nothing_still_has_a_count():
    assert values(worker_families([replace(loaded(), workers=())]))["workers_ready"] == 0


def test_without_a_management_api_the_page_says_so_and_has_no_old_values():
    collector = WorkerGauges(closed_port())
    assert values(list(collector.collect())) == {"management_up": 0}


def test_scrapes_within_seconds_share_an_answer(monkeypatch):
    now_s, answers = [100.0], []
    collector = WorkerGauges("http://nowhere", clock=lambda: now_s[0])
    monkeypatch.setattr(Management, "versions", lambda _: answers.append((loaded(),)) or answers[-1])
    for _ in range(3):
        assert values(list(collector.collect()))["workers_ready"] == 1
    assert len(answers) == 1
    now_s[0] += FRESH_S + 0.1
    list(collector.collect())
    assert len(answers) == 2


@pytest.mark.parametrize(
    "answer", [{}, {"models": [{}]}, {"models": [{"modelName": "x"}]}], ids=["no", "half", "other"]
)
def test_an_invalid_answer_of_the_management_api_counts_as_down(monkeypatch, answer):
    collector = WorkerGauges("http://nowhere")
    monkeypatch.setattr(Management, "_get", lambda *_: answer)
    assert values(list(collector.collect())) == {"management_up": 0}


def test_torchserves_errors_are_counted_from_zero():
    ok, failed = Metric("Requests2XX", "", "counter"), Metric("Requests5XX", "", "counter")
    ok.add_sample("Requests2XX_total", {"Hostname": "here"}, 9)
    assert [sample[:3] for sample in with_zeros([ok, failed])[1].samples] == [
        ("Requests5XX_total", {"Hostname": "here"}, 0)
    ]
    failed.samples[0] = failed.samples[0]._replace(value=4)
    assert [sample.value for sample in with_zeros([ok, failed])[1].samples] == [4]


# What workers count


def counted(version: str, outcome: str) -> float | None:
    labels = {"model": MODEL, "version": version, "outcome": outcome}
    return REGISTRY.get_sample_value("handwriting_requests_total", labels)


@pytest.mark.parametrize(("switch", "counts"), [("on", 1), ("off", 0)])
def test_counting_can_be_turned_off(monkeypatch, switch, counts):
    monkeypatch.setenv("HANDWRITING_METRICS", switch)
    version = f"test-{switch}"
    measures = WorkerMetrics(MODEL, version)
    assert counted(version, "InvalidImage") == 0  # there before the first, so that rate() sees it
    measures.record([InvalidImage("blank")], Times(1.0, 1.1, 1.2, 1.3))
    assert counted(version, "InvalidImage") == counts
    labels = {"model": MODEL, "version": version}
    assert REGISTRY.get_sample_value("handwriting_handler_seconds_count", labels) == counts


def test_every_kind_of_error_is_counted_from_zero():
    assert set(KINDS) == {each().kind for each in RequestError.__subclasses__()}


# `make monitoring`


@pytest.fixture
def variables(tmp_path) -> Iterator[dict[str, str]]:
    """Ports and folders of its own; what a test leaves running is stopped."""
    chosen = port_variables() | {"RUN_DIR": str(tmp_path / "stack"), "PROMETHEUS_DATA": str(tmp_path / "data")}
    yield chosen
    run_stack("down", chosen)


@needs_prometheus
def test_prometheus_is_started_once_shown_and_stopped(variables):
    url = f"http://127.0.0.1:{variables['PROMETHEUS_PORT']}"
    first = run_stack("monitoring", variables)
    assert first.returncode == 0, first.stderr
    assert url in first.stdout
    again = run_stack("monitoring", variables)
    assert (again.returncode, "starting" in again.stdout) == (0, False)
    record = json.loads((Path(variables["RUN_DIR"]) / "stack.json").read_text())
    assert f"prometheus  runs as process {record['prometheus']['pid']}\n" in run_stack("status", variables).stdout
    other = run_stack("monitoring", variables | {"PROMETHEUS_PORT": port_variables()["PROMETHEUS_PORT"]})
    assert (other.returncode, len(other.stderr.splitlines())) == (1, 1)
    assert f"already running with PROMETHEUS_PORT={variables['PROMETHEUS_PORT']}" in other.stderr
    assert "prometheus stopped" in run_stack("down", variables).stdout
    assert not psutil.pid_exists(record["prometheus"]["pid"])
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=2)


def test_prometheus_is_not_pointed_at_a_port_where_the_page_is_not(variables):
    settings = read_settings(variables)
    stack = Stack(settings)
    stack.record.write({"ports": {"METRICS_PORT": settings.ports["METRICS_PORT"] + 1}})
    with subprocess.Popen(["sleep", "60"]) as page:
        stack.record.add("metrics", psutil.Process(page.pid))  # as if it ran there
        failed = run_stack("monitoring", variables)
        page.kill()
    assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1)
    assert f"already running with METRICS_PORT={settings.ports['METRICS_PORT'] + 1}" in failed.stderr


@needs_prometheus
def test_a_taken_port_is_one_line_that_names_it_and_its_variable(variables):
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(variables["PROMETHEUS_PORT"])))
        other.listen()
        failed = run_stack("monitoring", variables)
    assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1)
    assert f"port {variables['PROMETHEUS_PORT']} is taken" in failed.stderr
    assert "PROMETHEUS_PORT=" in failed.stderr


def test_without_prometheus_the_line_says_how_to_get_it(variables, tmp_path):
    failed = run_stack("monitoring", variables | {"PATH": str(tmp_path)})
    assert failed.returncode == 1
    assert "prometheus is not installed" in failed.stderr
