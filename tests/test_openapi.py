"""docs/openapi.yaml: complete, and true for what schemathesis makes of it against the real server."""

import copy
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import requests
import yaml

from deploy.local.settings import ROOT
from deploy.local.torchserve import EXAMPLE
from handwriting.parsing import document, parts, request
from tests.conftest import environment
from tests.test_api_table import first_column

PAGE = ROOT / "docs" / "openapi.yaml"
API = yaml.safe_load(PAGE.read_text())
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = 15  # random ones, of each path
TIMEOUT_S = 550


def properties(name: str) -> set[str]:
    return set(API["components"]["schemas"][name]["properties"])


def test_all_keys_and_content_types_of_the_code_are_in_it():
    assert properties("Body") == set(document.BODY_KEYS)
    instance = API["components"]["schemas"]["Instance"]["anyOf"][0]["properties"]
    assert set(instance) == {*parts.PICTURE_KEYS, *document.UNUSED_INSTANCE_KEYS}
    assert set(API["components"]["requestBodies"]["pictures"]["content"]) == first_column("content type")
    headers = {each["name"].lower() for each in API["components"]["parameters"].values() if each["in"] == "header"}
    queries = {each["name"] for each in API["components"]["parameters"].values() if each["in"] == "query"}
    assert queries == request.PARAMETERS
    assert headers == {request.TOP_K_HEADER, request.TIMING_HEADER, "x-request-id"}


def test_all_recognisers_are_in_it():
    names = {path.name.removesuffix("_handler.py").replace("_", "-") for path in Path("handlers").glob("*_handler.py")}
    assert set(API["components"]["parameters"]["model"]["schema"]["enum"]) == names


@pytest.mark.server
def test_the_server_hands_it_out(stack):
    answer = requests.get(f"{stack.inference_url}/openapi.json", timeout=20)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == API  # else: python -m deploy.frontend.build
    head = requests.head(f"{stack.inference_url}/openapi.json", timeout=20)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.server
@pytest.mark.campaign
@pytest.mark.quick
def test_schemathesis_finds_no_5xx_and_no_undocumented_answer(stack, tmp_path):
    api = copy.deepcopy(API)
    api["components"]["parameters"]["model"]["schema"]["enum"] = ["digits", "reader"]  # the others are served alike
    (tmp_path / "openapi.yaml").write_text(yaml.safe_dump(api))
    command = [Path(sys.executable).with_name("schemathesis"), "run", "openapi.yaml", "--url", stack.inference_url]
    command += ["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES)]
    command += ["--seed", "1", "--request-timeout", "30", "--continue-on-failure", "--warnings", "off", "--no-color"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.server
@pytest.mark.parametrize("model", ["digits", "reader"])
def test_the_answer_to_a_real_picture_fits_the_schema(stack, model):
    answer = requests.post(f"{stack.inference_url}/predictions/{model}", data=EXAMPLE.read_bytes(), timeout=30).json()
    kind = "PageReading" if model == "reader" else "Prediction"
    schema = {"$ref": f"#/components/schemas/{kind}", "components": API["components"]}
    jsonschema.validate(answer, schema)
