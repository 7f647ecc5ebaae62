"""The same pictures through two recognisers."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.shared.catalogue import Served
from dashboard.shared.preview import data_url, preview
from inkserve.client import Prediction, Recogniser, RecogniserError, ServerDown

SHOWN_PX = 56


def compare(first: Served, second: Served, pictures: Mapping[str, bytes]) -> Sequence[dict[str, Any]]:
    """Ask both for each picture, and put their answers side by side.

    Returns:
        a row for each picture: its name and a small `picture` as data URL, `agree`, and for each of both its label or
        the type of its error, and its confidence in [0, 1] or None.

    Raises:
        ServerDown: the server answers nothing at all.
    """
    answers = [_ask(served, list(pictures.values())) for served in (first, second)]
    rows = []
    for (name, content), one, other in zip(pictures.items(), *answers, strict=True):
        image = preview(content, SHOWN_PX)
        row = {"picture": image and data_url(image), "name": name, "agree": _label(one) == _label(other)}
        for served, answer in ((first, one), (second, other)):
            row[str(served)] = _label(answer)
            row[f"{served}, confidence"] = answer.confidence if isinstance(answer, Prediction) else None
        rows.append(row)
    return rows


def _ask(served: Served, pictures: Sequence[bytes]) -> Sequence[Prediction | RecogniserError]:
    with Recogniser(served.model, version=served.version) as recogniser:
        answers = list(recogniser.predict_many(pictures, progress=False))
    if answers and all(isinstance(each, ServerDown) for each in answers):
        raise answers[0]
    return answers


def _label(answer: Prediction | RecogniserError) -> str:
    return answer.label if isinstance(answer, Prediction) else answer.type
