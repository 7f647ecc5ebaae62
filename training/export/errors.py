"""What can go wrong with exports.

ExportError
├── AbsentError     a format cannot be made or read here: a package or the data is not there; nothing is broken
├── DamagedError    a file is not what its card says it is, or was made from other weights
└── ParityError     a format does not say what torch says
"""


class ExportError(Exception):
    """An export cannot be made or used."""


class AbsentError(ExportError):
    """A format cannot be made or read here, because something that it needs is not there."""


class DamagedError(ExportError):
    """A file is missing, or is not what its card says it is."""


class ParityError(ExportError):
    """An export does not say what torch says of the same frames."""
