"""Class lists by recogniser, in the order of the network's outputs."""

DIGITS = tuple("0123456789")
CHARACTERS = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")  # EMNIST ByMerge; c i j k l ... read as capitals

LABELS = {
    "digits": DIGITS,
    "digits-tiny": DIGITS,
    "lenet5": DIGITS,
    "characters": CHARACTERS,
    "characters-edge": CHARACTERS,
}


def merge_case(character: str) -> str:
    """Return the label under which ByMerge files a letter or digit: c, i, j, k, ... share their capital's."""
    return character if character in CHARACTERS else character.upper()
