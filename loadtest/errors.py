"""What can go wrong with a load test itself."""


class LoadTestError(Exception):
    """The load test could not be made; the message says why."""
