"""From a page to its text: lines, characters, words, kinds and cases."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch

from deploy.local.settings import ROOT
from handwriting.checkpoint import load_checkpoint
from handwriting.errors import InvalidImage
from handwriting.labels import CHARACTERS, DIGITS
from handwriting.pages import find_layout, layout, read_layout
from handwriting.pages.context import choose_cases, weigh_by_word_kind
from handwriting.pages.depth import with_missed, without_doubtful
from handwriting.pages.layout import Group
from handwriting.pages.page_ink import find_page_ink
from handwriting.pages.pieces import Box, find_lines, find_pieces
from handwriting.pages.text import most_likely
from handwriting.preprocess import FORMS, read_picture
from measuring.accuracy.reader_page import merged
from measuring.common.composed_pages import pages
from measuring.common.paper_pages import pages_on

PAGE = ROOT / "examples" / "pages" / "pi.png"
TEXT = "314 159\n26 535\n897 93"


@pytest.fixture(scope="module")
def network():
    return load_checkpoint(ROOT / "weights" / "characters-1.0.safetensors")


def read(network, grey: np.ndarray) -> str:
    frames, found = find_layout(find_page_ink(grey), FORMS["emnist"], 1.0)
    with torch.inference_mode():
        probabilities = network(torch.from_numpy(frames)[:, None]).softmax(dim=1).numpy()
    return "\n".join(line.text for line in read_layout(found, probabilities, network.config.labels))


def paper(height: int = 200, width: int = 400) -> np.ndarray:
    return np.zeros((height, width), np.float32)


def stroke(ink: np.ndarray, *points: tuple[int, int]) -> None:
    cv2.polylines(ink, [np.array(points)], isClosed=False, color=1.0, thickness=6)


def lines_of(ink: np.ndarray):
    _, pieces, size = find_pieces(ink)
    return find_lines(pieces, size)


ANYWHERE = Box(0, 0, 10, 10)


def group(first: int, end: int, box: Box = ANYWHERE, dotted: bool = False, cuts: int = 0) -> Group:
    return Group(first, end, box, dotted, pieces=1, cuts=cuts)


def test_our_own_page_is_read(network):
    assert read(network, read_picture(PAGE.read_bytes()).grey) == TEXT


def test_a_sloping_page_in_light_ink_is_read(network):
    grey = read_picture(PAGE.read_bytes()).grey
    height, width = grey.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 3, 0.9)
    assert read(network, 255 - cv2.warpAffine(grey, turn, (width, height), borderValue=255)) == TEXT


def error_rate(network, made) -> float:
    from rapidfuzz.distance import Levenshtein  # noqa: PLC0415

    made = list(made)
    errors = sum(Levenshtein.distance(merged(read(network, page.picture)), merged(page.text)) for page in made)
    return errors / sum(len(page.text) for page in made)


@pytest.mark.parametrize(("kind", "most"), [("digits", 0.03), ("mixed", 0.14)])
def test_composed_pages_are_read(network, mnist_test, emnist_test, kind, most):
    assert error_rate(network, pages(kind, 25, seed=11)) <= most


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("numbers on plain paper", 0.08),
        ("numbers on ruled paper", 0.08),
        ("numbers on squared paper", 0.1),
        ("numbers in boxes", 0.1),
        ("text on squared paper", 0.2),
    ],
)
def test_numbers_and_pages_on_paper_are_read(network, mnist_test, emnist_test, kind, most):
    count = 30 if kind.startswith("numbers") else 8
    assert error_rate(network, pages_on(kind, count, seed=11)) <= most


def test_the_same_seed_makes_the_same_pages(mnist_test):
    first, again = (next(pages("digits", 1, seed=3)) for _ in range(2))
    assert np.array_equal(first.picture, again.picture)
    assert first.text == again.text


def test_a_dot_belongs_to_the_stroke_below_it():
    ink = paper()
    stroke(ink, (50, 60), (50, 120))
    stroke(ink, (50, 38), (52, 40))  # i
    stroke(ink, (100, 60), (140, 60), (140, 120))
    [[first, second]] = lines_of(ink)
    assert (len(first.numbers), first.dotted, second.dotted) == (2, True, False)


def test_a_bar_belongs_to_the_character_below_it_and_a_full_stop_to_none():
    ink = paper()
    stroke(ink, (50, 60), (50, 120), (90, 120))
    stroke(ink, (60, 45), (95, 45))  # the bar of a 5
    stroke(ink, (150, 60), (150, 120))
    stroke(ink, (180, 119), (182, 120))
    [[first, second]] = lines_of(ink)
    assert len(first.numbers) == 2
    assert second.box.right < 160


def test_lines_are_followed_down_a_slope():
    ink = paper(300, 900)
    for row in range(3):
        for column in range(12):
            x, y = 40 + 70 * column, 30 + 80 * row + 5 * column
            stroke(ink, (x, y), (x, y + 40))
    assert [len(line) for line in lines_of(ink)] == [12, 12, 12]
    assert all(a.box.left < b.box.left for line in lines_of(ink) for a, b in pairwise(line))


def test_touching_characters_may_be_cut_and_broken_ones_joined():
    ink = paper()
    stroke(ink, (40, 60), (70, 60), (70, 120), (40, 120), (40, 60))
    stroke(ink, (70, 90), (78, 90))
    stroke(ink, (78, 60), (108, 60), (108, 120), (78, 120), (78, 60))  # two boxes and a bridge
    stroke(ink, (200, 60), (200, 120))
    stroke(ink, (208, 60), (208, 120))  # two strokes close to each other
    frames, found = find_layout(ink, FORMS["emnist"], 1.0)
    spans = {(each.first, each.end) for each in found.lines[0]}
    assert {(0, 1), (1, 2), (0, 2)} <= spans  # the boxes apart and together
    boxes = {(each.box.left, each.box.right) for each in found.lines[0]}
    assert {(197, 204), (205, 212), (197, 212)} <= boxes
    assert len(frames) == len(found.lines[0])


def test_a_page_without_characters_or_with_too_many_is_refused(monkeypatch):
    with pytest.raises(InvalidImage, match="blank"):
        find_layout(paper(), FORMS["emnist"], 1.0)
    monkeypatch.setattr(layout, "MAX_CHARACTERS", 2)
    ink = paper()
    for x in range(40, 300, 40):
        stroke(ink, (x, 60), (x, 120))
    with pytest.raises(InvalidImage, match="at most 2"):
        find_layout(ink, FORMS["emnist"], 1.0)


def test_the_groups_that_the_network_is_surest_of_are_chosen():
    groups = [group(0, 1), group(1, 2), group(0, 2), group(2, 3)]
    sure = np.array([[0.6, 0.4], [0.6, 0.4], [0.99, 0.01], [0.9, 0.1]], np.float32)
    assert most_likely(groups, sure) == [2, 3]
    assert most_likely(groups, sure[[3, 3, 0, 3]]) == [0, 1, 3]


def test_a_cut_has_to_be_worth_it():
    groups = [group(0, 1, cuts=1), group(1, 2, cuts=1), group(0, 2)]
    assert most_likely(groups, np.array([[0.9], [0.9], [0.8]], np.float32)) == [2]
    assert most_likely(groups, np.array([[0.9], [0.9], [0.1]], np.float32)) == [0, 1]


def rows(*pairs: tuple[str, str]) -> np.ndarray:
    """Characters that are either of two labels."""
    table = np.full((len(pairs), len(CHARACTERS)), 1e-4, np.float32)
    for row, (likely, other) in enumerate(pairs):
        table[row, CHARACTERS.index(likely)] = 0.55
        table[row, CHARACTERS.index(other)] += 0.44
    return table / table.sum(axis=1, keepdims=True)


def test_a_word_of_digits_makes_its_doubtful_characters_digits():
    word = rows(("1", "1"), ("2", "2"), ("O", "0"), ("7", "7"), ("5", "5"))
    [weighed] = weigh_by_word_kind([word], CHARACTERS)
    assert CHARACTERS[weighed[2].argmax()] == "0"
    assert weighed.sum(axis=1) == pytest.approx(1)


def test_a_word_of_letters_makes_its_doubtful_characters_letters():
    [weighed] = weigh_by_word_kind([rows(("R", "R"), ("0", "O"), ("A", "A"), ("d", "d"))], CHARACTERS)
    assert CHARACTERS[weighed[1].argmax()] == "O"


def test_what_is_sure_stays():
    [weighed] = weigh_by_word_kind([rows(("1", "1"), ("2", "2"), ("A", "A"), ("7", "7"))], CHARACTERS)
    assert CHARACTERS[weighed[2].argmax()] == "A"


def test_the_other_words_of_a_page_tell_what_a_short_one_is():
    short = rows(("O", "0"))
    [alone] = weigh_by_word_kind([short], CHARACTERS)
    [beside, *_] = weigh_by_word_kind([short, *[rows(*[(d, d) for d in DIGITS[1:6]])] * 8], CHARACTERS)
    assert alone[0, CHARACTERS.index("0")] < beside[0, CHARACTERS.index("0")]
    assert CHARACTERS[beside[0].argmax()] == "0"


def heights(*pairs: tuple[str, int]):
    return [(group(i, i + 1, Box(0, 0, 10, height)), label) for i, (label, height) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("line", "cases"),
    [
        ([("T", 100), ("O", 60), ("O", 98)], ["T", "o", "O"]),
        ([("e", 60), ("S", 62), ("S", 101)], ["e", "s", "S"]),
        ([("S", 50), ("C", 100)], ["S", "C"]),  # nothing to compare with
        ([("P", 60), ("T", 100)], ["P", "T"]),  # its cases differ in more than height
    ],
)
def test_look_alikes_get_their_case_from_their_height(line, cases):
    assert choose_cases([heights(*line)]) == cases


def test_a_line_without_measure_takes_the_pages():
    assert choose_cases([heights(("O", 60)), heights(("T", 100))]) == ["o", "T"]


def test_a_dotted_i_is_small():
    assert choose_cases([[(group(0, 1, dotted=True), "I"), (group(1, 2), "I")]]) == ["i", "I"]


def test_a_thin_stroke_stays_and_a_corner_of_a_box_goes():
    kept, sure = paper(), paper()
    for left, width, surest in ((40, 30, 1.0), (100, 30, 0.95), (160, 3, 0.9), (220, 30, 0.6)):
        kept[60:120, left : left + width] = 1
        sure[60:120, left : left + width] = 0.5 if width < 10 else surest  # a thin one is sure only inside
        sure[80:90, left : left + width] = surest
    left_in = without_doubtful(kept, sure)
    assert left_in[:, :200].sum() == kept[:, :200].sum()
    assert left_in[:, 210:].max() == 0


def test_a_ruled_line_that_joins_characters_is_not_added_to_them_but_the_end_of_a_stroke_is():
    kept, dark = paper(), paper()
    for left in range(20, 380, 40):
        kept[60:100, left : left + 20] = dark[60:100, left : left + 20] = 1
    dark[100:103, 10:390] = 1  # the line on which they stand
    assert with_missed(kept, dark, 10)[101].max() == 0
    kept, dark = paper(), paper()
    kept[60:100, 40:60] = dark[60:105, 40:60] = 1
    assert with_missed(kept, dark, 10)[103, 50] == 0  # the whole width is too much
    dark[100:, 45:60] = 0
    assert with_missed(kept, dark, 10)[103, 42] == 1


def test_what_is_left_of_a_square_joins_no_characters_but_a_faint_stroke_is_one_piece():
    ink = paper()
    for left in (40, 100, 160):
        stroke(ink, (left, 60), (left + 30, 60), (left + 30, 120), (left, 120), (left, 60))
    ink[88:92, 40:190] = np.maximum(ink[88:92, 40:190], 0.4)
    ink[60:120, 250:256], ink[80:90, 250:256] = 1, 0.4
    stroke(faint := paper(), (300, 120), (330, 60), (360, 120), (390, 60))
    assert len(lines_of(ink + 0.45 * faint)[0]) == 5


def test_a_piece_as_wide_as_many_characters_may_be_cut_between_all_of_them():
    ink = paper(200, 600)
    for left in range(40, 540, 50):
        stroke(ink, (left, 60), (left + 30, 60), (left + 30, 120), (left, 120), (left, 60))
    ink[88:92, 40:520] = 1  # a line that is as dark as they are
    _, found = find_layout(ink, FORMS["emnist"], 1.0)
    alone = [each for each in found.lines[0] if each.end - each.first == 1]
    assert len(alone) >= 10
