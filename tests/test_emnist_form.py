"""EMNIST's normal form: characters fill 24 px and are centred by their box."""

import numpy as np
import pytest

from handwriting.preprocess import picture_frame
from tests.conftest import drawings
from tests.pictures import encode, enlarged, inverted


def emnist_frame(picture: bytes) -> np.ndarray:
    return picture_frame(picture, "emnist")


def box(frame: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(frame > 0.3)
    return rows.min(), rows.max(), columns.min(), columns.max()


@pytest.fixture(params=drawings(), ids=lambda path: path.stem)
def drawing(request) -> bytes:
    return request.param.read_bytes()


def test_a_drawing_fills_the_24_px_box(drawing):
    top, bottom, left, right = box(emnist_frame(drawing))
    assert 23 <= max(bottom - top, right - left) + 1 <= 25


def test_a_drawing_is_centred_by_its_box(drawing):
    top, bottom, left, right = box(emnist_frame(drawing))
    assert (top + bottom) / 2 == pytest.approx(13.5, abs=0.75)
    assert (left + right) / 2 == pytest.approx(13.5, abs=0.75)


def test_a_finished_frame_of_emnist_passes_unchanged(emnist_test):
    frame = emnist_test.images[0]
    assert np.array_equal(emnist_frame(encode(frame)), frame.astype(np.float32) / 255)


def test_dark_ink_on_white_gives_nearly_the_frame_it_was_made_from(emnist_test):
    frames = emnist_test.images[:100]
    differences = [np.abs(emnist_frame(encode(inverted(frame))) - frame / 255).mean() for frame in frames]
    assert np.mean(differences) < 0.06


def test_enlarging_and_moving_a_character_does_not_change_its_frame(emnist_test):
    frames = emnist_test.images[:50]
    routes = [(emnist_frame(encode(inverted(frame))), emnist_frame(encode(enlarged(frame)))) for frame in frames]
    assert np.mean([np.abs(near - far).mean() for near, far in routes]) < 0.04  # own strokes: 0.031
