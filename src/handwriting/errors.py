"""What can be wrong with a request, and the HTTP status that says so.

RequestError                one request fails, and no other of its batch
├── InvalidImage       400  not a picture, truncated, blank, a speck, or all ink
├── InvalidRequest     400  a body or parameter of the wrong shape
├── ImageTooLarge      413  over the pixel or byte limit, decided before decoding
├── UnsupportedMedia   415  a body of a kind that no recogniser takes
├── InternalError      500  our fault: logged with its traceback
└── Overloaded         503  the requests before it in its batch took too long; TorchServe's own type for a full queue
"""


class RequestError(ValueError):
    """A request that cannot be answered with a prediction; the message says what was found and what was wanted."""

    status = 400

    @property
    def kind(self) -> str:
        """Name of the error in the answer's `type`."""
        return type(self).__name__


class InvalidImage(RequestError):  # noqa: N818 - the names are those of the API
    """The bytes are no picture, or the picture shows no character."""


class InvalidRequest(RequestError):  # noqa: N818
    """The body or a parameter has the wrong shape."""


class ImageTooLarge(RequestError):  # noqa: N818
    """The picture is over a size limit."""

    status = 413


class UnsupportedMedia(RequestError):  # noqa: N818
    """The body is of a kind that no recogniser takes."""

    status = 415


class InternalError(RequestError):
    """Our own code failed on this request."""

    status = 500


class Overloaded(RequestError):  # noqa: N818
    """The worker has no time for this request now; it may be sent again."""

    status = 503

    @property
    def kind(self) -> str:
        """The type that TorchServe answers when its queue is full: to a client both are the same."""
        return "ServiceUnavailableException"
