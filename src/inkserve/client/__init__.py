"""The client of the inference API; `inkserve` exports and describes it."""

from inkserve.client.answers import Candidate, Character, Document, Explanation, PageReading, Prediction
from inkserve.client.exceptions import RecogniserError, Rejected, ServerDown, ServerError, UnusablePicture
from inkserve.client.recogniser import Recogniser
from inkserve.client.split import Split
from inkserve.client.tokens import KeyFile, Token

__all__ = [
    "Candidate",
    "Character",
    "Document",
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
