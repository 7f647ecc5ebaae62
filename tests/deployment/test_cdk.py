"""The function's stacks: synthesised, linted, and what they promise."""

import json
from collections.abc import Mapping

import pytest

from deploy.local.settings import ROOT
from tests.deployment.tools import needs_tools, run_tool

pytestmark = needs_tools
FOLDER = ROOT / "deploy" / "lambda"
ONE = {"regions": "eu-central-1", "image_tag": "1.0", "account": "123456789012"}
THREE = ONE | {
    "regions": "eu-central-1 us-east-1 ap-northeast-1",
    "front": "api",
    "domain": "ink.example.com",
    "zone_id": "Z123456789",
    "other_version": "3",
    "other_weight": "0.1",
}


def synth(folder, context: Mapping[str, str]) -> dict[str, dict]:
    """The templates by region."""
    settings = {"CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": str(folder)}
    settings |= {
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    }
    done = run_tool("python", "app.py", cwd=FOLDER, variables=settings)
    assert done.returncode == 0, done.stderr[-2000:]
    found = sorted(folder.glob("*.template.json"))
    return {path.name.split(".")[0].removeprefix("inkserve-"): json.loads(path.read_text()) for path in found}


@pytest.fixture(scope="module", params=[ONE, THREE], ids=["one region", "three regions"])
def case(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cdk")
    return request.param, folder, synth(folder, request.param)


def of(template: Mapping, kind: str) -> list[dict]:
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


def test_each_region_has_a_valid_template(case):
    context, folder, templates = case
    assert sorted(templates) == sorted(context["regions"].split())
    done = run_tool("cfn-lint", "--non-zero-exit-code", "error", *folder.glob("*.template.json"))
    assert done.returncode == 0, done.stdout


def test_its_role_may_write_to_its_log_and_nothing_else(case):
    _, _, templates = case
    for template in templates.values():
        [role] = of(template, "AWS::IAM::Role")
        assert "ManagedPolicyArns" not in role
        [policy] = of(template, "AWS::IAM::Policy")
        [statement] = policy["PolicyDocument"]["Statement"]
        assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
        assert "Fn::GetAtt" in statement["Resource"]
        [log] = of(template, "AWS::Logs::LogGroup")
        assert log["RetentionInDays"] == 30


def test_nobody_calls_it_without_a_signature(case):
    _, _, templates = case
    for template in templates.values():
        assert {each["AuthType"] for each in of(template, "AWS::Lambda::Url")} <= {"AWS_IAM"}
        assert {each["AuthorizationType"] for each in of(template, "AWS::ApiGatewayV2::Route")} <= {"AWS_IAM"}
        assert of(template, "AWS::Lambda::Url") or of(template, "AWS::ApiGatewayV2::Route")


def test_it_has_an_alias_and_alarms(case):
    context, _, templates = case
    for template in templates.values():
        [alias] = of(template, "AWS::Lambda::Alias")
        weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", [])
        assert [each["FunctionWeight"] for each in weights] == ([0.1] if "other_version" in context else [])
        assert all('":3"' in json.dumps(each["FunctionVersion"]) for each in weights)
        assert {each["MetricName"] for each in of(template, "AWS::CloudWatch::Alarm")} == {
            "Errors",
            "Throttles",
            "Duration",
        }


def test_one_name_leads_to_the_nearest_region(case):
    context, _, templates = case
    records = [record for each in templates.values() for record in of(each, "AWS::Route53::RecordSet")]
    assert sorted(record["Region"] for record in records) == (sorted(templates) if "domain" in context else [])
    assert {record["Name"] for record in records} <= {"ink.example.com"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"front": "door"}, "front is 'door'; wanted one of url, api"),
        ({"regions": ""}, "regions is empty"),
        ({"other_weight": "0.5"}, "other_weight is 0.5"),
        ({"domain": "x.example.com"}, "which needs front=api and a zone_id"),
        (
            {"provisioned": "2", "other_version": "3", "other_weight": "0.1"},
            "provisioned and other_version are both set",
        ),
    ],
    ids=["front", "regions", "weight", "domain", "provisioned"],
)
def test_a_wrong_setting_is_named(change, words):
    """Without the cloud's own types, which take seconds to load."""
    check = (
        "import json, sys; from types import SimpleNamespace; from inkserve_options import read_options; "
        "read_options(SimpleNamespace(try_get_context=json.loads(sys.argv[1]).get))"
    )
    done = run_tool("python", "-c", check, json.dumps(ONE | change), cwd=FOLDER)
    assert done.returncode != 0
    assert words in done.stderr
