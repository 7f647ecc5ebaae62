"""Wrong numbers of workers, and errors over gRPC: refused as a whole, with the reason and the fitting status."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
import requests

from deploy.checksums import copy_archive
from deploy.local.served_versions import management
from deploy.local.settings import ROOT, read_settings
from inkserve.metrics import read_page, total
from tests.conftest import RunningStack, port_variables
from tests.waiting import eventually

pytestmark = pytest.mark.server

TIMEOUT_S = 60
MOST = 3
JAR = "ts/frontend/model-server.jar"
CODES = grpc.StatusCode


@pytest.fixture(scope="module")
def operated(tmp_path_factory) -> Iterator[RunningStack]:
    """A server with at most MOST workers a version, whose model API is on."""
    folder = tmp_path_factory.mktemp("operated")
    store = folder / "store"
    store.mkdir()
    copy_archive(ROOT / "model_store" / "digits-1.0.mar", store)
    variables = port_variables() | {"RUN_DIR": str(folder / "stack"), "MODEL_STORE": str(store)}
    running = RunningStack(read_settings(variables))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MAX_WORKERS", str(MOST))
        patched.setenv("TS_ENABLE_MODEL_API", "true")
        try:
            running.stack.start("torchserve")
            yield running
        finally:
            running.stack.stop("torchserve")


@pytest.fixture(scope="module")
def services(operated, tmp_path_factory) -> Iterator[SimpleNamespace]:
    """TorchServe's gRPC services, from the definitions in its jar."""
    folder = tmp_path_factory.mktemp("stubs")
    jar = next(Path(each) / JAR for each in sys.path if (Path(each) / JAR).is_file())
    subprocess.run([sys.executable, "-m", "zipfile", "-e", jar, folder], check=True, timeout=TIMEOUT_S)
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", folder]
    command += [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    files = ("inference.proto", "management.proto", "google/rpc/status.proto")
    subprocess.run([*command, *files], check=True, timeout=TIMEOUT_S)
    ports = operated.settings.ports
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(folder)
        names = ("inference_pb2", "inference_pb2_grpc", "management_pb2", "management_pb2_grpc")
        found = SimpleNamespace(**{name: import_module(name) for name in names})
        unlimited = [("grpc.max_send_message_length", -1)]
        with (
            grpc.insecure_channel(f"127.0.0.1:{ports['GRPC_INFERENCE_PORT']}", unlimited) as one,
            grpc.insecure_channel(f"127.0.0.1:{ports['GRPC_MANAGEMENT_PORT']}") as other,
        ):
            found.inference = found.inference_pb2_grpc.InferenceAPIsServiceStub(one)
            found.management = found.management_pb2_grpc.ManagementAPIsServiceStub(other)
            yield found


# Numbers of workers


@pytest.mark.parametrize("parameter", ["min_worker", "max_worker"])
@pytest.mark.parametrize("number", ["-1", "a", "", "1.5", "99999999999", "100000", str(MOST + 1), " 1", "0x1", "١"])
def test_a_wrong_number_of_workers_is_refused_and_changes_nothing(operated, parameter, number):
    with management(operated.settings) as api:
        before = api.versions()
        url = f"{operated.management_url}/models/digits"
        answer = requests.put(url, params={parameter: number}, timeout=TIMEOUT_S)
        assert answer.status_code == 400
        wanted = f"{parameter} is '{number}'; wanted a whole number from 0 to {MOST}, which MAX_WORKERS sets"
        assert answer.json()["message"] == wanted
        assert api.versions() == before
    assert requests.get(f"{operated.inference_url}/ready", timeout=TIMEOUT_S).ok


def test_several_numbers_are_refused_as_a_whole(operated):
    with management(operated.settings) as api:
        before = api.versions()
        for query in ("min_worker=1&max_worker=9", "min_worker=3&max_worker=2", "min_worker=1&min_worker=-1"):
            answer = requests.put(f"{operated.management_url}/models/digits?{query}", timeout=TIMEOUT_S)
            assert answer.status_code == 400, query
        assert api.versions() == before


def test_a_right_number_of_workers_is_taken(operated):
    with management(operated.settings) as api:
        for count in (1, 2):
            api.scale("digits", "1.0", count)
            assert api.versions()[0].ready_workers == count


@pytest.mark.parametrize("how", ["query", "JSON"])
def test_an_archive_is_not_loaded_with_a_wrong_number_of_workers(operated, how):
    parameters = {"url": "digits-1.0.mar", "initial_workers": MOST + 1}
    options = {"params": parameters} if how == "query" else {"json": parameters}
    answer = requests.post(f"{operated.management_url}/models", timeout=TIMEOUT_S, **options)
    assert (answer.status_code, answer.json()["type"]) == (400, "BadRequestException")
    assert f"wanted a whole number from 0 to {MOST}" in answer.json()["message"]


def test_grpc_refuses_a_number_over_the_bound(services):
    request = services.management_pb2.ScaleWorkerRequest(model_name="digits", min_worker=100_000)
    with pytest.raises(grpc.RpcError) as caught:
        services.management.ScaleWorker(request, timeout=TIMEOUT_S)
    assert caught.value.code() is CODES.INVALID_ARGUMENT
    assert "the number of workers is 100000; wanted a whole number" in caught.value.details()


# gRPC


def predict(services, **fields) -> str:
    request = services.inference_pb2.PredictionsRequest(**{"model_name": "digits"} | fields)
    return services.inference.Predictions(request, timeout=TIMEOUT_S).prediction.decode()


def test_predictions_over_grpc_are_counted_with_their_time(operated, services, seven):
    def counted(status: str) -> float:
        page = read_page(requests.get(f"{operated.settings.url('TORCHSERVE_METRICS_PORT')}/metrics", timeout=20).text)
        return total(page.values, "inkserve_request_seconds_count", model="digits", status=status)

    before = counted("200"), counted("400")
    predict(services, input={"body": seven})
    with pytest.raises(grpc.RpcError):
        predict(services, input={"body": b"no picture"})
    eventually(lambda: (counted("200"), counted("400")) == (before[0] + 1, before[1] + 1), "the two to be counted")


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        ({"input": {"body": b"no picture"}}, CODES.INVALID_ARGUMENT, "InvalidImage: not a picture"),
        ({"input": {"body": b"x", "top_k": b"99"}}, CODES.INVALID_ARGUMENT, "InvalidRequest: top_k is '99'"),
        ({"input": {}}, CODES.INVALID_ARGUMENT, "InvalidRequest: the request has no body"),
        (
            {"input": {"body": bytes(17 * 2**20)}},
            CODES.RESOURCE_EXHAUSTED,
            "ImageTooLarge: the message is too large; wan",
        ),
        ({"model_name": "runes"}, CODES.NOT_FOUND, "Model not found: runes"),
        ({"model_version": "9.9"}, CODES.NOT_FOUND, "Model version: 9.9 does not exist"),
        ({"model_name": ""}, CODES.INVALID_ARGUMENT, "Parameter model_name is required"),
    ],
    ids=["no picture", "top_k", "no body", "too large", "no recogniser", "no version", "no name"],
)
def test_a_refused_request_has_the_status_and_the_message_of_its_error(services, seven, fields, code, reason):
    with pytest.raises(grpc.RpcError) as caught:
        predict(services, **fields)
    assert caught.value.code() is code
    assert caught.value.details().startswith(reason)
    assert '"label":"7"' in predict(services, input={"body": seven})


def test_a_recogniser_without_workers_is_unavailable(operated, services, seven):
    with management(operated.settings) as api:
        api.scale("digits", "1.0", 0)
        with pytest.raises(grpc.RpcError) as caught:
            predict(services, input={"body": seven})
        assert caught.value.code() is CODES.UNAVAILABLE
        api.scale("digits", "1.0", 2)
    assert '"label":"7"' in predict(services, input={"body": seven})
