"""Class lists by recogniser, in the order of the network's outputs, and normal forms."""

import string

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


def spellings(label: str) -> int:
    """Count the letters and digits that share a label of CHARACTERS: 2 where it stands for both cases."""
    return sum(merge_case(character) == label for character in string.digits + string.ascii_letters)


def merge_case(character: str) -> str:
    """Return the label under which ByMerge files a letter or digit: c, i, j, k, ... share their capital's."""
    return character if character in CHARACTERS else character.upper()
