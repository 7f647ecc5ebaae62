"""The labelled pictures that a recogniser is measured on, and its answers to them over HTTP."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handwriting.labels import LABELS, NORMAL_FORMS, merge_case
from inkserve.client import Prediction, Recogniser, Rejected, ServerError
from measuring.accuracy.scores import Answers
from training.data import data_dir, load_characters, title_of

PHOTOS = "photos-dev/photos-dev.zip"
TOP_K = 3
NO_LABEL = -2  # index of a right label that the recogniser does not have


@dataclass(frozen=True)
class LabelledPictures:
    """A test set.

    Attributes:
        title: name in results.
        pictures: encoded, or frames of (28, 28) uint8; 255 is ink.
        labels: the right ones; one that the recogniser does not have is never read right.
    """

    title: str
    pictures: Sequence[bytes] | np.ndarray
    labels: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)


def official_test(model: str, limit: int | None) -> LabelledPictures:
    """Load the official test set of a recogniser, or its first `limit` pictures.

    Raises:
        DataError: it is missing or damaged.
    """
    data_set = NORMAL_FORMS[model]
    characters = load_characters(data_set, "test").take(slice(limit))
    labels = [LABELS[model][index] for index in characters.labels]
    return LabelledPictures(title_of(data_set, "test"), characters.images, labels)


def photographs(model: str) -> LabelledPictures | None:
    """Load photographs of the characters that the recogniser knows, with its labels; None where there are none."""
    path = data_dir() / PHOTOS
    if not path.exists():
        return None
    pictures, labels = [], []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            kind, _, character = name.split("/")[0].partition("_")  # digit_7/003.png, lower_a/000.png
            if not name.endswith(".png") or (kind != "digit" and len(LABELS[model]) == len(LABELS["digits"])):
                continue
            pictures.append(archive.read(name))
            labels.append(merge_case(character))
    return LabelledPictures("photographs", pictures, labels)


def read_answers(url: str, model: str, version: str, pictures: LabelledPictures) -> Answers:
    """Send all pictures of a test set, and collect the answers; a refused picture counts as read wrong.

    Raises:
        ServerError: the server does not answer, or fails on a picture.
    """
    labels = LABELS[model]
    index = {label: k for k, label in enumerate(labels)}
    top = np.full((len(pictures), TOP_K), -1)
    confidences = np.zeros(len(pictures))
    with Recogniser(model, url=url, version=version, top_k=TOP_K) as recogniser:
        for row, result in enumerate(recogniser.predict_many(pictures.pictures, progress=True)):
            if isinstance(result, Prediction):
                top[row] = [index[candidate.label] for candidate in result.top]
                confidences[row] = result.confidence
            elif not isinstance(result, Rejected):
                raise result if isinstance(result, ServerError) else TypeError(result)
    return Answers(labels, np.array([index.get(label, NO_LABEL) for label in pictures.labels]), top, confidences)
