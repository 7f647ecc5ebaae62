"""What TorchServe's worker does otherwise here."""

from ts.service import Service

from handwriting.serving.worker import keep_repeated_parts, take_apart


def test_parts_of_one_name_are_all_kept():
    request = {"requestId": b"1", "headers": [{"name": b"a", "value": b"b"}]}
    request["parameters"] = [
        {"name": name, "value": value, "contentType": "image/png"}
        for name, value in [("file", 1), ("file", 2), ("file (2)", 3), ("top_k", 4), ("file", 5)]
    ]
    keep_repeated_parts()
    try:
        headers, inputs, _ = Service.retrieve_data_for_inference([request])
    finally:
        Service.retrieve_data_for_inference = staticmethod(take_apart)
    assert list(inputs[0].values()) == [1, 2, 3, 4, 5]
    assert all(headers[0].get_request_property(name)["content-type"] == "image/png" for name in inputs[0])
