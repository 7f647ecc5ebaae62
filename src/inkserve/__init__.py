"""The client side of Inkserve, a model server for handwriting.

    from inkserve import Recogniser

    with Recogniser("digits") as digits:
        print(digits.predict("7.png").label)
        for result in digits.predict_many(["a.png", "b.png"]):
            ...  # a Prediction, or the RecogniserError of that picture

A server with tokens needs one: `Recogniser("digits", auth=Token("..."))`, or in the environment INKSERVE_TOKEN, or
INKSERVE_KEY_FILE for the server's own key file.

RecogniserError           no prediction: `predict` raises it, `predict_many` returns it in the picture's place
├── UnusablePicture       nothing was sent: no such file, too many bytes, an array of the wrong shape or range
└── ServerError
    ├── ServerDown        no answer in time, or the server itself failed (5xx): worth another try
    └── Rejected          the server answered, and says what is wrong with this request (4xx)

`AsyncRecogniser` is the same for asyncio, and needs httpx: pip install 'inkserve[async]'.

`inkserve.management` lists and changes what the server has loaded, `inkserve.metrics` reads its metrics, and the
command `inkserve` reads pictures from a shell. Nothing here needs torch, OpenCV or Java.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inkserve.client import *  # noqa: F403 - its __all__ says which names
    from inkserve.client.asynchronous import AsyncRecogniser as AsyncRecogniser


def __getattr__(name: str) -> object:
    """Import the client when one of its names is first used: `requests` alone takes 0.2 s to import."""
    if name == "AsyncRecogniser":  # the only one that needs httpx
        return import_module("inkserve.client.asynchronous").AsyncRecogniser
    if not name.startswith("__"):
        client = import_module("inkserve.client")
        if name in client.__all__:
            return getattr(client, name)
    raise AttributeError(f"module 'inkserve' has no attribute {name!r}")
