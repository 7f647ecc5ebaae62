"""KServe's protocols V1 and V2: tensors as they are read, and the real server asked by Triton's own client."""

import base64
import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import requests
import tritonclient.http as triton
from PIL import Image
from tritonclient.utils import InferenceServerException

from handwriting.errors import InvalidRequest
from handwriting.parsing.tensors import read_infer
from tests.conftest import drawings

TIMEOUT_S = 60
PIXELS = [[255, 0], [0, 255]]


def infer(datatype: str, shape: list, data: object, **more: object) -> bytes:
    tensor = {"name": "image", "datatype": datatype, "shape": shape, "data": data}
    return json.dumps({"inputs": [tensor | more]}).encode()


def pictures(body: bytes, **headers: str) -> list[np.ndarray]:
    return [np.asarray(Image.open(io.BytesIO(each))) for each in read_infer(body, headers).pictures]


# Tensors


@pytest.mark.parametrize(
    ("shape", "data", "wanted"),
    [
        ([2, 2], PIXELS, [(2, 2)]),
        ([1, 2, 2], [PIXELS], [(2, 2)]),
        ([2, 2, 1], [255, 0, 0, 255], [(2, 1), (2, 1)]),
        ([1, 2, 2, 1], [255, 0, 0, 255], [(2, 2)]),
        ([1, 2, 2, 3], [1] * 12, [(2, 2, 3)]),
        ([2, 2, 2, 4], [9] * 32, [(2, 2, 4), (2, 2, 4)]),
    ],
    ids=str,
)
def test_pictures_are_taken_out_of_a_tensor(shape, data, wanted):
    assert [each.shape for each in pictures(infer("UINT8", shape, data))] == wanted


def test_numbers_keep_their_meaning():
    assert pictures(infer("UINT8", [2, 2], PIXELS))[0].tolist() == PIXELS
    assert pictures(infer("FP32", [2, 2], [1.0, 0, 0.5, 1]))[0].tolist() == [[255, 0], [128, 255]]
    half = np.asarray([[0.0, 1.0]], "<f4").tobytes()
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}
    head = json.dumps({"inputs": [tensor]}).encode()
    assert pictures(head + half, **{"inference-header-content-length": str(len(head))})[0].tolist() == [[0, 255]]


def test_encoded_pictures_stay_as_they_are(seven):
    texts = [base64.b64encode(seven).decode()] * 2
    assert read_infer(infer("BYTES", [2], texts), {}).pictures == [seven, seven]
    assert read_infer(infer("BYTES", [2, 1], [[each] for each in texts]), {}).pictures == [seven, seven]
    tensor = {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(seven) + 4}}
    head = json.dumps({"id": "42", "inputs": [tensor]}).encode()
    found = read_infer(
        head + struct.pack("<I", len(seven)) + seven, {"inference-header-content-length": str(len(head))}
    )
    assert (found.id, found.pictures) == ("42", [seven])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "the body is not JSON"),
        (b"[]", "the request has no list of inputs; wanted"),
        (json.dumps({"inputs": [{}, {}]}).encode(), "the request has 2 inputs; wanted"),
        (infer("INT64", [1], [1]), "the tensor's datatype is 'INT64'; wanted BYTES"),
        (infer("UINT8", [-1, 2], PIXELS), "the tensor's shape is [-1, 2]; wanted a list of whole numbers"),
        (infer("UINT8", "2,2", PIXELS), "the tensor's shape is 2,2; wanted a list of whole numbers"),
        (infer("UINT8", [3, 2], PIXELS), "the tensor's shape [3, 2] wants 6 elements; its data has 4"),
        (
            infer("UINT8", [10**9, 10**9], PIXELS),
            "the tensor's shape [1000000000, 1000000000] wants 1,000,000,000,000,00",
        ),
        (infer("UINT8", [4], [1, 2, 3, 4]), "the tensor's shape is [4]; wanted (n, H, W)"),
        (infer("UINT8", [1, 1, 1, 2], [1, 2]), "the tensor's shape is [1, 1, 1, 2]; wanted (n, H, W)"),
        (infer("UINT8", [0, 2, 2], []), "the tensor's"),
        (infer("UINT8", [2000, 1, 1], [0] * 2000), "the request has 2,000 pictures; wanted 1 to 1,024"),
        (infer("UINT8", [2, 2], [1, 2, 3, 300]), "the tensor goes from 1 to 300; wanted 0 to 255 for UINT8"),
        (infer("UINT8", [2, 2], [1, 2, 3, 0.5]), "the tensor is UINT8, and its data has numbers that are not whole"),
        (infer("UINT8", [2, 2], [1, 2, 3, "x"]), "the tensor's data has other things than numbers"),
        (infer("UINT8", [2, 2], [[1, 2], [3]]), "the tensor's data is no rectangle of numbers"),
        (infer("FP32", [2, 2], PIXELS), "the tensor goes from 0 to 255; wanted 0 to 1 for FP32"),
        (infer("BYTES", [2], ["aaaa"]), "the tensor's shape [2] wants 2 elements; its data has 1"),
        (infer("BYTES", [1], ["?"]), "the tensor's data is not base64"),
        (infer("BYTES", [1], [7]), "the tensor's data is no list of texts; wanted pictures in base64"),
        (infer("BYTES", [1], [], parameters={"binary_data_size": 9}), "binary_data_size is 9, but 0 bytes follow"),
    ],
)
def test_a_tensor_that_is_wrong_is_an_error_that_says_why(body, reason):
    with pytest.raises(InvalidRequest) as caught:
        read_infer(body, {})
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize("length", ["x", "-1", "99999", "9" * 30])
def test_a_wrong_length_of_the_json_is_an_error(length):
    with pytest.raises(InvalidRequest, match="inference-header-content-length is"):
        read_infer(infer("UINT8", [2, 2], PIXELS), {"inference-header-content-length": length})


# The real server, and Triton's client


@pytest.fixture
def client(stack):
    with triton.InferenceServerClient(f"127.0.0.1:{stack.settings.ports['INFERENCE_PORT']}") as made:
        yield made


def tensor(values: np.ndarray, datatype: str, binary: bool = True) -> triton.InferInput:
    made = triton.InferInput("image", values.shape, datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return made


def in_one_size(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L").resize((300, 300)))


def labels(answer: triton.InferResult) -> list[str]:
    return [each.decode() if isinstance(each, bytes) else each for each in answer.as_numpy("label").ravel()]


@pytest.mark.server
def test_tritons_client_finds_the_server_ready(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("digits")
    assert client.is_model_ready("digits", "1.0")
    assert not client.is_model_ready("runes")
    assert client.get_server_metadata()["name"] == "inkserve"
    about = client.get_model_metadata("digits")
    assert (about["versions"], [each["name"] for each in about["outputs"]]) == (
        ["1.0"],
        ["label", "confidence", "answer"],
    )


@pytest.mark.server
@pytest.mark.parametrize("binary", [True, False], ids=["binary", "JSON"])
def test_tritons_client_reads_encoded_pictures(client, binary):
    files = drawings()[:5]
    contents = [path.read_bytes() if binary else base64.b64encode(path.read_bytes()) for path in files]
    answer = client.infer("digits", [tensor(np.asarray(contents, object), "BYTES", binary)], request_id="order-17")
    assert labels(answer) == [path.stem[0] for path in files]
    assert answer.get_response()["id"] == "order-17"
    assert answer.as_numpy("confidence").dtype == np.float32
    assert json.loads(answer.as_numpy("answer")[0])["version"] == "1.0"


@pytest.mark.server
@pytest.mark.parametrize("binary", [True, False], ids=["binary", "JSON"])
@pytest.mark.parametrize("datatype", ["UINT8", "FP32"])
def test_tritons_client_reads_pixels(client, datatype, binary):
    files = drawings()[:4]
    pixels = np.stack([in_one_size(path) for path in files])
    values = pixels if datatype == "UINT8" else (pixels / 255).astype(np.float32)
    answer = client.infer("digits", [tensor(values, datatype, binary)], model_version="1.0")
    assert labels(answer) == [path.stem[0] for path in files]


@pytest.mark.server
@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_tritons_client_may_pack_its_requests(client, seven, packing):
    wanted = [triton.InferRequestedOutput("label")]
    pictures = [tensor(np.asarray([seven], object), "BYTES")]
    answer = client.infer("digits", pictures, outputs=wanted, request_compression_algorithm=packing)
    assert labels(answer) == ["7"]
    assert answer.as_numpy("answer") is None


@pytest.mark.server
def test_tritons_client_is_told_what_is_wrong(client, seven):
    for values, reason in (
        (np.asarray([seven, b"no picture"], object), "picture 1: not a picture"),
        (np.asarray([b"no picture"], object), "not a picture"),
    ):
        with pytest.raises(InferenceServerException, match=reason):
            client.infer("digits", [tensor(values, "BYTES")])
    with pytest.raises(InferenceServerException, match="there is no output 'logits'; wanted label, confidence, answer"):
        outputs = [triton.InferRequestedOutput("logits")]
        client.infer("digits", [tensor(np.asarray([seven], object), "BYTES")], outputs=outputs)
    assert labels(client.infer("digits", [tensor(np.asarray([seven], object), "BYTES")])) == ["7"]


@pytest.mark.server
def test_a_shape_that_is_not_its_datas_is_a_bad_request_that_says_both(stack):
    answer = requests.post(
        f"{stack.inference_url}/v2/models/digits/infer", data=infer("UINT8", [3, 2], PIXELS), timeout=TIMEOUT_S
    )
    assert answer.status_code == 400
    assert answer.json()["error"] == "the tensor's shape [3, 2] wants 6 elements; its data has 4"


@pytest.mark.server
def test_clients_of_the_protocol_v1_are_answered(stack, seven):
    url = f"{stack.inference_url}/v1/models"
    assert "digits" in requests.get(url, timeout=TIMEOUT_S).json()["models"]
    assert requests.get(f"{url}/digits", timeout=TIMEOUT_S).json() == {"name": "digits", "ready": True}
    assert requests.get(f"{url}/runes", timeout=TIMEOUT_S).status_code == 404
    body = {"instances": [{"b64": base64.b64encode(seven).decode()}] * 2}
    for path in ("digits:predict", "digits/versions/1.0:predict", "digits:predict?top_k=1"):
        answer = requests.post(f"{url}/{path}", json=body, timeout=TIMEOUT_S)
        assert [each["label"] for each in answer.json()["predictions"]] == ["7", "7"], path
    explained = requests.post(f"{url}/digits:explain", data=seven, timeout=TIMEOUT_S)
    assert len(explained.json()["heatmap"]) == 28


@pytest.mark.server
def test_a_header_of_a_client_makes_no_request_of_the_protocol(stack, seven):
    answer = requests.post(stack.predictions_url, data=seven, headers={"url_infer": "2"}, timeout=TIMEOUT_S)
    assert answer.json()["label"] == "7"
