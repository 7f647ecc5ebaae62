"""Errors of a request, each with its HTTP status.

RequestError                one request of a batch fails, the others do not
├── InvalidImage       400  not a picture, truncated, blank, a speck, or filled with ink
├── InvalidRequest     400  a body or parameter of the wrong shape
├── NotRead            400  those before it in its request took the time
├── ImageTooLarge      413  over the pixel or byte limit; checked before decoding
├── UnsupportedMedia   415  a content type that no recogniser reads
├── InternalError      500  a bug; logged with its traceback
└── Overloaded         503  the requests before it in its batch took too long; same type as for TorchServe's full queue
"""


class RequestError(ValueError):
    """A request without a prediction; the message says what was found and what was wanted."""

    status = 400

    @property
    def kind(self) -> str:
        """The answer's `type`."""
        return type(self).__name__


class InvalidImage(RequestError):  # noqa: N818 - the names are those of the API
    """The bytes are not a picture, or the picture shows no character."""


class InvalidRequest(RequestError):  # noqa: N818
    """The body or a parameter has the wrong shape."""


class NotRead(RequestError):  # noqa: N818
    """The picture was not looked at: those before it in its request took the time; alone it may be read."""


class ImageTooLarge(RequestError):  # noqa: N818
    """The picture is over a size limit."""

    status = 413


class UnsupportedMedia(RequestError):  # noqa: N818
    """No recogniser reads this content type."""

    status = 415


class InternalError(RequestError):
    """A bug of the handler."""

    status = 500


class Overloaded(RequestError):  # noqa: N818
    """The worker has no time for this request now; the client may send it again."""

    status = 503

    @property
    def kind(self) -> str:
        """TorchServe's type for a full queue, so that clients handle both alike."""
        return "ServiceUnavailableException"
