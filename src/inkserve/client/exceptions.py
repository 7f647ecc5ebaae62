"""The errors of the client; the docstring of `inkserve` shows their tree."""


class RecogniserError(Exception):
    """A picture has no prediction.

    Attributes:
        type: a name for the reason, such as `ServerDown`, or the API's own, such as `InvalidImage`.
        message: the reason, for people.
    """

    @property
    def type(self) -> str:
        """Name of the reason."""
        return self.__class__.__name__

    @property
    def message(self) -> str:
        """The reason, for people."""
        return str(self)


class UnusablePicture(RecogniserError, ValueError):  # noqa: N818 - the name says what is wrong
    """The picture cannot be sent; the message says what was found and what was wanted."""


class ServerError(RecogniserError):
    """A request has no prediction."""


class ServerDown(ServerError):  # noqa: N818
    """The server can't be reached, is too slow, or failed; the message says which."""


class Rejected(ServerError):  # noqa: N818
    """The server refused the request: `Rejected(type, message)`, as in the API's answer."""

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"

    @property
    def type(self) -> str:
        """The API's name for the reason, such as `InvalidImage`."""
        return str(self.args[0])

    @property
    def message(self) -> str:
        """The server's message."""
        return str(self.args[1])
