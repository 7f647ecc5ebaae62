"""The answers of two recognisers for the same pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.shared.endpoint import Endpoint
from dashboard.shared.picture_html import thumbnail_url
from inkserve import Prediction, Recogniser, ServerDown
from inkserve.client.answers import Result

THUMBNAIL_PX = 56


@dataclass(frozen=True)
class ComparedPicture:
    """The answers of two recognisers for one picture.

    Attributes:
        name: of the picture.
        thumbnail: data: URL, None if it cannot be decoded.
        answers: of the first and the second recogniser.
    """

    name: str
    thumbnail: str | None
    answers: Sequence[Result]

    @property
    def labels(self) -> Sequence[str]:
        """Both labels, or the type of the error in place of one."""
        return tuple(each.label if isinstance(each, Prediction) else each.type for each in self.answers)

    @property
    def agrees(self) -> bool:
        """Whether both labels are the same."""
        return self.labels[0] == self.labels[1]

    @property
    def confidences(self) -> Sequence[float | None]:
        """Both confidences in [0, 1], None for an error."""
        return tuple(each.confidence if isinstance(each, Prediction) else None for each in self.answers)


def compare(first: Endpoint, second: Endpoint, pictures: Mapping[str, bytes]) -> Sequence[ComparedPicture]:
    """Send pictures, by name, to two recognisers.

    Raises:
        ServerDown: the server answers none of them.
    """
    answers = [_ask(endpoint, list(pictures.values())) for endpoint in (first, second)]
    return [
        ComparedPicture(name, thumbnail_url(content, THUMBNAIL_PX), both)
        for (name, content), *both in zip(pictures.items(), *answers, strict=True)
    ]


def _ask(endpoint: Endpoint, pictures: Sequence[bytes]) -> Sequence[Result]:
    with Recogniser(endpoint.model, version=endpoint.version) as recogniser:
        answers = list(recogniser.predict_many(pictures))
    if answers and all(isinstance(each, ServerDown) for each in answers) and isinstance(answers[0], ServerDown):
        raise answers[0]
    return answers
