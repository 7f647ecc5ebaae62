"""A recogniser's answers to a test set, over HTTP."""

import numpy as np

from handwriting.labels import LABELS
from inkserve.client import Prediction, Recogniser, Rejected, ServerError
from measuring.accuracy.labelled_pictures import LabelledPictures
from measuring.accuracy.scores import Answers

TOP_K = 3


def ask(url: str, model: str, version: str, pictures: LabelledPictures) -> Answers:
    """Send every picture of a test set, and collect what comes back.

    A picture that the recogniser refuses counts as read wrong.

    Raises:
        ServerError: the server went away, or failed on a picture.
    """
    labels = LABELS[model]
    index = {label: k for k, label in enumerate(labels)}
    top = np.full((len(pictures), TOP_K), -1)
    confidences = np.zeros(len(pictures))
    with Recogniser(model, url=url, version=version, top_k=TOP_K) as recogniser:
        for row, result in enumerate(recogniser.predict_many(pictures)):
            if isinstance(result, Prediction):
                top[row] = [index[candidate.label] for candidate in result.top]
                confidences[row] = result.confidence
            elif not isinstance(result, Rejected):
                raise result if isinstance(result, ServerError) else TypeError(result)
    return Answers(labels, np.array([index[label] for label in pictures.labels]), top, confidences)
