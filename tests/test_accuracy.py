"""Scores of answers, and the results page of a recogniser."""

import json
import string
import zipfile

import numpy as np
import pytest

from deploy.local.settings import ROOT
from handwriting.labels import CHARACTERS
from inkserve.intervals import wilson_interval
from measuring.accuracy.accuracy_charts import draw_mistakes
from measuring.accuracy.accuracy_page import write_report
from measuring.accuracy.labelled_pictures import PHOTOS, LabelledPictures, photographs
from measuring.accuracy.scores import (
    Answers,
    calibration_error,
    confusion,
    most_confused,
    summarise,
    worst_mistakes,
)
from training.card import Card

LABELS = ("0", "1", "2")


def answers(right, predicted, confidences=None) -> Answers:
    top = np.array([[p, (p + 1) % 3, (p + 2) % 3] if p >= 0 else [-1] * 3 for p in predicted])
    return Answers(LABELS, np.array(right), top, np.array(confidences or [0.9] * len(right), float))


def test_accuracy_and_mean_recall_count_right_answers():
    summary = summarise(answers([0, 0, 0, 1], [0, 0, 1, 1]))
    assert summary["accuracy"] == 0.75
    assert summary["mean_recall"] == pytest.approx((2 / 3 + 1) / 2)
    assert [row["precision"] for row in summary["classes"][:2]] == [1.0, 0.5]


def test_a_refused_picture_counts_as_read_wrong():
    summary = summarise(answers([0, 1], [0, -1], [0.9, 0.0]))
    assert (summary["accuracy"], summary["refused"]) == (0.5, 1)
    assert confusion(answers([0, 1], [0, -1])).sum() == 1


def test_confusion_has_the_right_label_in_the_row():
    assert confusion(answers([0, 2], [1, 2])).tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_a_calibrated_recogniser_has_no_calibration_error():
    assert calibration_error(answers([0] * 10, [0] * 9 + [1], [0.9] * 10)) == pytest.approx(0)


def test_an_overconfident_recogniser_has_its_excess_as_calibration_error():
    assert calibration_error(answers([0] * 10, [0] * 5 + [1] * 5, [1.0] * 10)) == pytest.approx(0.5)


def test_the_interval_holds_the_share_and_narrows_with_more_pictures():
    narrow, wide = wilson_interval(9900, 10_000), wilson_interval(99, 100)
    assert wide[0] < narrow[0] < 0.99 < narrow[1] < wide[1] < 1


def test_the_worst_mistake_has_the_highest_confidence():
    assert worst_mistakes(answers([0, 0, 0], [1, 2, 0], [0.6, 0.8, 0.99]), 5).tolist() == [1, 0]


def test_the_most_frequent_confusion_comes_first():
    assert most_confused(summarise(answers([0, 0, 0, 1], [1, 1, 2, 1]))) == [("0", "1", 2), ("0", "2", 1)]


def test_a_report_shows_figures_pictures_and_its_command(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (4, 28, 28), np.uint8)
    frames[:, [0, -1]] = frames[:, :, [0, -1]] = 0
    pictures = LabelledPictures("test set", frames, ["0", "0", "1", "2"])
    card = Card.read(ROOT / "weights" / "digits-1.0.json")
    measured = [(pictures, answers([0, 0, 1, 2], [0, 1, 1, 2]))]
    write_report(tmp_path, card, "make evaluate MODEL=digits", measured)
    page = (tmp_path / "README.md").read_text()
    assert "75.00%" in page
    assert "make evaluate MODEL=digits" in page
    assert "0 as 1 (1)" in page
    shown = [line.split("(")[1].rstrip(")") for line in page.splitlines() if line.startswith("![")]
    assert len(shown) == 4
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in [*shown, "mistakes.png"])
    assert json.loads((tmp_path / "results.json").read_text())["sets"][0]["n"] == 4


def test_photographs_carry_the_labels_that_a_recogniser_knows(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    (tmp_path / PHOTOS).parent.mkdir()
    kinds = {"digit": string.digits, "lower": string.ascii_lowercase, "upper": string.ascii_uppercase}
    with zipfile.ZipFile(tmp_path / PHOTOS, "w") as archive:
        for name in (f"{kind}_{character}/000.png" for kind, every in kinds.items() for character in every):
            archive.writestr(name, b"a photograph")
    digits, characters = photographs("digits"), photographs("characters")
    assert (len(digits), len(characters)) == (10, 62)
    assert set(digits.labels) == set("0123456789")
    assert set(characters.labels) == set(CHARACTERS)


def test_without_mistakes_the_chart_is_empty(tmp_path):
    assert draw_mistakes([], [], "None", tmp_path / "mistakes.png").read_bytes().startswith(b"\x89PNG")
