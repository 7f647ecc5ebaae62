import argparse

import numpy as np
import pytest
import torch

from training import marks
from training.augment import BLUR_PX, blur_kernels
from training.loss import STRAY, loss_of
from training.options import parse
from training.paper import any_letter, make_characters, make_strays, paper_frames
from training.train import train

FEW = 8


class Fixed(torch.nn.Module):
    """Answers the same for every frame: one label of ten, with this logit."""

    def __init__(self, label: int, logit: float = 9.0) -> None:
        super().__init__()
        self.logits = torch.zeros(10)
        self.logits[label] = logit

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(frames), -1)


@pytest.mark.parametrize("model", ["digits", "characters"])
def test_characters_on_paper_have_ink_and_labels_of_the_recogniser(model, mnist_train, emnist_train):
    made = make_characters(model, (16, 0), FEW, [5, 0])
    assert (made["image"].max(axis=(1, 2)) > 100).all()
    assert ((made["label"] >= 0) & (made["label"] < (10 if model == "digits" else 47))).all()


@pytest.mark.parametrize("model", ["digits", "characters"])
def test_strays_have_ink_and_no_label(model, mnist_train, emnist_train):
    made = make_strays(model, FEW, [5, 0])
    assert made["image"].any(axis=(1, 2)).all()
    assert (made["label"] == STRAY).all()


def test_frames_on_paper_depend_on_the_seed_alone(tmp_path, mnist_train, emnist_train):
    options = parse(["digits", "--papers", "6", "--strays", "4", "--hold-out", "16"], "")
    one, other = (paper_frames(argparse.Namespace(**vars(options) | {"threads": n}), tmp_path / str(n)) for n in (1, 2))
    assert len(one) == 10
    assert np.array_equal(one.images, other.images)
    assert (one.labels == STRAY).sum() == 4


def test_no_letter_that_looks_like_a_digit_is_a_stray(emnist_train):
    generator = np.random.default_rng(0)
    like = emnist_train.take(np.isin(emnist_train.labels, [24]))  # O
    assert len(like)
    both = like.join(emnist_train.take(emnist_train.labels == 20))  # K
    letters = like.images.reshape(len(like), -1)
    assert not any((any_letter(both, generator).ravel() == letters).all(axis=1).any() for _ in range(FEW))


@pytest.mark.parametrize("draw", [marks.draw_one, marks.draw_seven, marks.draw_mark])
def test_a_drawing_lies_within_its_frame(draw):
    for seed in range(30):
        frame = draw(np.random.default_rng(seed))
        assert frame.max() > 150
        assert not np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]]).any()


def test_a_blur_keeps_the_ink():
    torch.manual_seed(0)
    kernels = blur_kernels(40)
    assert kernels.shape[2:] == (BLUR_PX, BLUR_PX)
    assert kernels.sum(dim=(1, 2, 3)).allclose(torch.ones(40))
    largest = kernels.amax(dim=(1, 2, 3))
    assert largest.min() < 0.1
    assert largest.max() > 0.9


def test_a_teacher_that_is_wrong_is_not_listened_to():
    frames, labels = torch.rand(4, 1, 28, 28), torch.tensor([3, 3, STRAY, STRAY])
    student, right, wrong = (Fixed(label) for label in (5, 3, 5))
    alone, taught, misled = (loss_of(student, frames, labels, some) for some in ([], [right], [wrong]))
    assert taught > alone
    assert misled == alone


def test_a_network_that_is_sure_of_a_stray_has_a_larger_loss():
    frames, stray = torch.zeros(2, 1, 28, 28), torch.full((2,), STRAY)
    unsure, sure = Fixed(3, 0.0), Fixed(3)
    assert loss_of(unsure, frames, stray, []) < loss_of(sure, frames, stray, [])
    assert loss_of(sure, frames, torch.full((2,), 3), []) < 0.01


def test_a_run_learns_from_papers_and_strays(tmp_path, monkeypatch, mnist_train, emnist_train):
    monkeypatch.chdir(tmp_path)
    arguments = "digits --papers 6 --strays 4 --limit 64 --hold-out 16 --epochs 1 --test-limit 16 --no-tracking"
    weights = train(parse([*arguments.split(), "--threads", "1"], ""))
    assert "6 frames of characters on paper and 4 of strays" in weights.with_suffix(".json").read_text()
