"""Class lists by recogniser, in the order of the network's outputs."""

DIGITS = tuple("0123456789")

LABELS = {"digits": DIGITS}
