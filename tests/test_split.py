"""Traffic split between versions, by the client."""

import math
from collections import Counter

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.shared import traffic_split
from dashboard.shared.endpoint import recogniser
from inkserve import Rejected, Split
from tests.answering import SEVEN, answering, pictures_of, sevens


def versions(server) -> Counter:
    """How many pictures each version was asked for."""
    counts: Counter = Counter()
    for path, body in zip(server.paths, server.bodies, strict=True):
        counts[path.rsplit("/", 1)[1]] += len(pictures_of(body))
    return counts


def pictures(count: int) -> list[bytes]:
    return [f"picture {number}".encode() for number in range(count)]


def numbers(body: bytes):
    """Answer the number of each picture as its label."""
    return 200, {"predictions": [SEVEN | {"label": each.decode().split()[1]} for each in pictures_of(body)]}


def test_each_version_gets_its_share():
    with answering(numbers) as server, Split("digits", {"1.0": 3, "1.1": 1}, server.url) as digits:
        results = list(digits.predict_many(pictures(400)))
        asked = versions(server)
    assert [each.label for each in results] == [str(number) for number in range(400)]  # in order, whatever the version
    assert digits.shares == {"1.0": 0.75, "1.1": 0.25}
    deviation = math.sqrt(400 * 0.75 * 0.25)
    assert abs(asked["1.1"] - 100) < 4 * deviation
    assert asked.total() == 400


def test_the_same_picture_goes_to_the_same_version():
    with answering((200, SEVEN)) as server, Split("digits", {"1.0": 1, "1.1": 1}, server.url) as digits:
        for picture in pictures(10) * 3:
            digits.predict(picture)
    assert server.paths[:10] == server.paths[10:20] == server.paths[20:]
    assert len(set(server.paths)) == 2


def test_a_version_of_weight_0_gets_nothing():
    with answering(sevens) as server, Split("digits", {"1.0": 0, "1.1": 0.1}, server.url) as digits:
        list(digits.predict_many(pictures(50)))
    assert versions(server) == {"1.1": 50}


@pytest.mark.parametrize("weights", [{}, {"1.0": 0}, {"1.0": -1, "1.1": 2}, {"1.0": math.nan}, {"1.0": math.inf}])
def test_invalid_weights_are_refused(weights):
    with pytest.raises(ValueError, match="weights are"):
        Split("digits", weights)


@pytest.mark.server
def test_the_real_server_answers_with_the_version_of_the_split(stack, seven):
    with Split("digits", {"1.0": 1}, stack.inference_url) as digits:
        assert (digits.predict(seven).label, digits.predict(seven).version) == ("7", "1.0")
        assert digits.explain(seven).label == "7"
    with Split("digits", {"9.9": 1}, stack.inference_url) as digits, pytest.raises(Rejected, match=r"9\.9"):
        digits.predict(seven)


# The dashboard


def page() -> None:
    import streamlit as st  # noqa: PLC0415 - AppTest runs this function alone

    from dashboard.shared import traffic_split  # noqa: PLC0415
    from inkserve.management import ModelVersion  # noqa: PLC0415

    several = [ModelVersion("digits", version, version == "1.0", (), 1) for version in st.session_state["versions"]]
    traffic_split.show_traffic((*several, ModelVersion("lenet5", "1.0", True, (), 1)))
    st.write("offered: " + ", ".join(map(str, traffic_split.splits())))


def opened(versions: list[str]) -> AppTest:
    app = AppTest.from_function(page)
    app.session_state["versions"] = versions
    return app.run()


def test_a_split_is_offered_where_there_are_several_versions():
    app = opened(["1.0", "1.1"])
    assert app.selectbox[0].options == ["digits"]
    app.number_input[0].set_value(3)
    app.button[0].click().run()
    assert not app.exception
    assert app.markdown[-1].value == "offered: digits 1.0 (75%) and 1.1 (25%)"
    assert app.code[0].value == "Split('digits', {'1.0': 3, '1.1': 1})"


def test_a_split_ends_with_undo_and_with_its_version():
    for end in (lambda app: app.button[1].click(), lambda app: app.session_state["versions"].remove("1.1") or app):
        app = opened(["1.0", "1.1"])
        app.button[0].click().run()
        end(app).run()
        assert app.markdown[-1].value == "offered:"


def test_one_version_is_never_split():
    assert not opened(["1.0"]).selectbox


def test_a_split_answers_for_the_dashboard(monkeypatch):
    endpoint = traffic_split.split("digits", {"1.0": 0, "1.1": 2})
    with answering((200, SEVEN)) as server:
        monkeypatch.setenv("INKSERVE_URL", server.url)
        with recogniser(endpoint) as digits:
            assert digits.predict(b"picture").label == "7"
    assert server.paths == ["/predictions/digits/1.1"]
