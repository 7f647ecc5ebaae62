"""Why a picture brought no prediction; `inkserve.client` draws the tree."""


class RecogniserError(Exception):
    """A picture that brought no prediction.

    Attributes:
        type: a name for the reason, such as `ServerDown`, or the API's own, such as `InvalidImage`.
        message: the reason for a reader.
    """

    @property
    def type(self) -> str:
        """Name of the reason."""
        return self.__class__.__name__

    @property
    def message(self) -> str:
        """The reason for a reader."""
        return str(self)


class UnusablePicture(RecogniserError, ValueError):  # noqa: N818 - says what happened, as the package's own errors do
    """The picture cannot be sent; the message says what was found and what was wanted."""


class ServerError(RecogniserError):
    """A request that brought no prediction."""


class ServerDown(ServerError):  # noqa: N818
    """The server can't be reached, is too slow, or failed; the message says which."""


class Rejected(ServerError):  # noqa: N818
    """The server refused the request: `Rejected(type, message)`, in the words of the API."""

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"

    @property
    def type(self) -> str:
        """The API's name for the reason, such as `InvalidImage`."""
        return str(self.args[0])

    @property
    def message(self) -> str:
        """The server's words."""
        return str(self.args[1])
