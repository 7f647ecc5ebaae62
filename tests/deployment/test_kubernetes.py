"""The rendered documents for Kubernetes: valid for several versions, strictly, and what they promise."""

from collections.abc import Mapping
from functools import cache

import pytest
import yaml

from deploy.exporter import worker_families
from deploy.local.settings import ROOT
from tests.deployment.tools import needs_tools, run_tool

FOLDER = ROOT / "deploy" / "kubernetes"
RENDERED = ("overlays/one-node", "overlays/many-nodes", "overlays/keda", "kserve")
VERSIONS = ("1.34.0", "1.35.0", "1.36.0", "1.37.0")
WITHOUT_SCHEMA = {"ServiceMonitor", "ScaledObject", "ServingRuntime", "InferenceService"}

pytestmark = needs_tools


@cache
def rendered(name: str) -> str:
    done = run_tool("kubectl", "kustomize", FOLDER / name)
    assert done.returncode == 0, done.stderr
    return done.stdout


def documents(name: str) -> dict[str, dict]:
    return {each["kind"]: each for each in yaml.safe_load_all(rendered(name))}


def server(name: str) -> tuple[dict, dict]:
    """The pod and its container."""
    found = documents(name)
    pod = found["Deployment"]["spec"]["template"]["spec"] if "Deployment" in found else found["ServingRuntime"]["spec"]
    return pod, pod["containers"][0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", RENDERED[:3])
def test_each_document_is_valid_for_each_version(name, version, tmp_path):
    checked = [each for kind, each in documents(name).items() if kind not in WITHOUT_SCHEMA]
    file = tmp_path / "rendered.yaml"
    file.write_text(yaml.safe_dump_all(checked))
    done = run_tool("kubernetes-validate", "--strict", "-k", version, file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count(" passed for resource ") == len(checked)


def test_a_field_in_the_wrong_place_is_refused(tmp_path):
    deployment = documents("overlays/one-node")["Deployment"]
    deployment["spec"]["template"]["spec"]["readinessProbe"] = {"tcpSocket": {"port": 8080}}
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(deployment))
    assert run_tool("kubernetes-validate", "--strict", "-k", VERSIONS[-1], file).returncode != 0


@pytest.mark.parametrize("change", [{}, {"grace": 1}], ids=["as it is", "with a wrong field"])
def test_kserve_knows_each_field(change):
    found = documents("kserve")
    found["ServingRuntime"]["spec"]["containers"][0] |= change
    done = run_tool(
        "python", ROOT / "tests" / "deployment" / "kserve_fields.py", input=yaml.safe_dump_all(found.values())
    )
    wanted = [f"ServingRuntime.spec.containers[0].{name}" for name in change]
    assert done.stdout.split("\n")[1:] == (wanted or [""]), done.stderr
    assert done.stdout.startswith("2 documents")


@pytest.mark.parametrize("name", RENDERED)
def test_the_three_probes_mean_different_things(name):
    _, container = server(name)
    startup, ready, alive = (container[f"{each}Probe"] for each in ("startup", "readiness", "liveness"))
    assert startup["httpGet"]["path"] == ready["httpGet"]["path"] == "/ready"
    assert (
        startup["failureThreshold"] * startup["periodSeconds"]
        >= 120
        > ready["failureThreshold"] * ready["periodSeconds"]
    )
    assert alive["exec"]["command"] == ["is-well", "any-status"], "a dead worker is no reason to end the pod"


@pytest.mark.parametrize("name", RENDERED)
def test_a_pod_has_time_to_end(name):
    pod, container = server(name)
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    delay = next(int(each["value"]) for each in container["env"] if each["name"] == "DRAIN_DELAY_S")
    checks_s = container["readinessProbe"]["periodSeconds"] * container["readinessProbe"]["failureThreshold"]
    assert delay > checks_s
    assert pod.get("terminationGracePeriodSeconds", 30) > pause + delay + 10  # and what was read is answered


@pytest.mark.parametrize("name", RENDERED)
def test_nothing_runs_as_root_or_writes_to_its_image(name):
    pod, _ = server(name)
    for each in [*pod["containers"], *pod.get("initContainers", [])]:
        rights = pod.get("securityContext", {}) | each["securityContext"]
        assert rights["runAsNonRoot"] is True
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
        assert ":" in each["image"] and not each["image"].endswith(":latest")
        assert {"memory"} <= set(each["resources"]["limits"])


@pytest.mark.parametrize("name", RENDERED[:3])
def test_a_rollout_takes_no_pod_away_first(name):
    found = documents(name)
    assert found["Deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        found["Deployment"]["spec"]["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector and selector.items() <= labels.items()


def test_kserve_takes_no_pod_away_first():
    predictor = documents("kserve")["InferenceService"]["spec"]["predictor"]
    assert predictor["deploymentStrategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert predictor["model"]["runtime"] == documents("kserve")["ServingRuntime"]["metadata"]["name"]


def test_versions_change_with_one_line(tmp_path):
    """The tag of the image of archives, and nothing else in the rendered documents."""
    base = (FOLDER / "base" / "kustomization.yaml").read_text()
    changed = base.replace('newTag: "1.0"', 'newTag: "1.1"')
    assert sum(a != b for a, b in zip(base.splitlines(), changed.splitlines(), strict=True)) == 1
    (tmp_path / "base").mkdir()
    for path in (FOLDER / "base").iterdir():
        (tmp_path / "base" / path.name).write_text(changed if path.name == "kustomization.yaml" else path.read_text())
    before = run_tool("kubectl", "kustomize", FOLDER / "base").stdout.splitlines()
    after = run_tool("kubectl", "kustomize", tmp_path / "base").stdout.splitlines()
    differing = [(a.strip(), b.strip()) for a, b in zip(before, after, strict=True) if a != b]
    assert [new for _, new in differing] == ["image: registry.example.com/inkserve-models:1.1"]


def scaled_by() -> Mapping[str, str]:
    """What the autoscalers read, by overlay: the name of a metric or an expression."""
    adapter = yaml.safe_load((FOLDER / "overlays" / "many-nodes" / "prometheus-adapter.yaml").read_text())
    [rule] = adapter["rules"]["custom"]
    [metric] = documents("overlays/many-nodes")["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    [trigger] = documents("overlays/keda")["ScaledObject"]["spec"]["triggers"]
    return {"adapter": rule["seriesQuery"], "keda": trigger["metadata"]["query"]}


@pytest.mark.parametrize("source", ["adapter", "keda"])
def test_autoscalers_read_a_gauge_that_the_metrics_page_has(source):
    gauges = {family.name for family in worker_families([]) if family.type == "gauge"}
    assert any(f"{name}{{" in scaled_by()[source] for name in gauges)


def test_keda_has_no_second_autoscaler():
    assert "HorizontalPodAutoscaler" not in documents("overlays/keda")
