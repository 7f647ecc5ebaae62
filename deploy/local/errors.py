"""The one error that `make up` and its kin print as a line."""


class StackError(Exception):
    """The stack cannot be started or stopped; the message says why and what to do."""
