"""The Python client of the inference API: pictures in, predictions or named errors out.

    from inkserve.client import Recogniser

    with Recogniser("digits") as digits:
        print(digits.predict("7.png").label)
        for result in digits.predict_many(["a.png", "b.png"]):
            ...  # a Prediction, or the RecogniserError of that picture

A server with tokens wants one: `Recogniser("digits", auth=Token("..."))`, or in the environment INKSERVE_TOKEN, or
INKSERVE_KEY_FILE for the server's own key file.

RecogniserError           no prediction: `predict` raises it, `predict_many` gives it in the picture's place
├── UnusablePicture       nothing was sent: no such file, too many bytes, an array of the wrong shape or range
└── ServerError
    ├── ServerDown        nobody answers in time, or the server itself failed (5xx): worth another try
    └── Rejected          the server answered, and says what is wrong with this request (4xx)

Nothing here needs torch.
"""

from inkserve.client.answers import Candidate, Character, Explanation, PageReading, Prediction
from inkserve.client.exceptions import RecogniserError, Rejected, ServerDown, ServerError, UnusablePicture
from inkserve.client.recogniser import Recogniser
from inkserve.client.split import Split
from inkserve.client.tokens import KeyFile, Token

__all__ = [
    "Candidate",
    "Character",
    "Explanation",
    "KeyFile",
    "PageReading",
    "Prediction",
    "Recogniser",
    "RecogniserError",
    "Rejected",
    "ServerDown",
    "ServerError",
    "Split",
    "Token",
    "UnusablePicture",
]
