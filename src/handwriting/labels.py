"""Class lists by recogniser, in the order of the network's outputs, and normal forms."""

DIGITS = tuple("0123456789")
CHARACTERS = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")  # EMNIST ByMerge; c i j k l ... read as capitals

LABELS = {
    "digits": DIGITS,
    "digits-tiny": DIGITS,
    "lenet5": DIGITS,
    "characters": CHARACTERS,
    "characters-edge": CHARACTERS,
}

# What a recogniser's characters look like: the data set it learns from, and the normal form of its pictures
NORMAL_FORMS = {
    "digits": "mnist",
    "digits-tiny": "mnist",
    "lenet5": "mnist",
    "characters": "emnist",
    "characters-edge": "emnist",
}


def merge_case(character: str) -> str:
    """Return the label under which ByMerge files a letter or digit: c, i, j, k, ... share their capital's."""
    return character if character in CHARACTERS else character.upper()
