"""What can go wrong with a campaign."""


class TortureError(Exception):
    """It cannot be run; the message says what is missing."""
