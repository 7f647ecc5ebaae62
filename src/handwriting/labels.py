"""Labels of each recogniser, in the order of the network's outputs, and its normal form."""

import string

DIGITS = tuple("0123456789")
CHARACTERS = tuple(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
)  # EMNIST ByMerge: c, i, j, k, l, ... have the label of their capital

LABELS = {
    "digits": DIGITS,
    "digits-tiny": DIGITS,
    "lenet5": DIGITS,
    "characters": CHARACTERS,
    "characters-edge": CHARACTERS,
}

# The normal form of each recogniser's frames, by the data set it is trained on
NORMAL_FORMS = {
    "digits": "mnist",
    "digits-tiny": "mnist",
    "lenet5": "mnist",
    "characters": "emnist",
    "characters-edge": "emnist",
}


def spellings(label: str) -> int:
    """Count the characters with a label of CHARACTERS: 2 if it stands for upper and lower case, else 1."""
    return sum(merge_case(character) == label for character in string.digits + string.ascii_letters)


def merge_case(character: str) -> str:
    """Return the ByMerge label of a letter or digit; c, i, j, k, ... have the label of their capital."""
    return character if character in CHARACTERS else character.upper()
