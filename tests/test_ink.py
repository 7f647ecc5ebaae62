"""The ink network: digits on paper of every kind, pictures without writing, and its training."""

import contextlib
import json

import cv2
import numpy as np
import pytest
import torch

from handwriting.checkpoint import load_checkpoint
from handwriting.errors import InvalidImage
from handwriting.preprocess import find_ink, ink_network
from handwriting.preprocess.frame import MNIST, to_frame
from handwriting.preprocess.ink import writing
from handwriting.preprocess.ink_network import NETWORK, stretched
from handwriting.preprocess.windows import Window, beyond_of, shown
from measuring.common.example_digits import Picture, frames
from measuring.common.papers import KINDS, pictures_of
from tests.conftest import ROOT
from training.card import card_path, sha256
from training.ink import __main__ as training
from training.ink import camera, paper, pen
from training.ink.export import export, restore
from training.ink.pool import make_views, pool_of
from training.ink.scene import start

READ = 0.75  # of the digits on a kind of paper, at least


def frame_of(picture: bytes) -> np.ndarray:
    grey = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE)
    return to_frame(find_ink(grey).ink, MNIST)


def grey_frame(picture: Picture) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_GRAYSCALE)


@pytest.fixture(scope="module")
def digits():
    return load_checkpoint(ROOT / "weights" / "digits-1.0.safetensors")


HARD = {  # what is read today; people find some of these hard, too
    "struck through": 0.3,
    "squared, on a desk, in shadow": 0.5,
    "over a watermark": 0.6,
    "beside a stamp": 0.5,
    "drawn as an outline": 0.5,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_digit_is_read_on_paper(digits, kind):
    own, right = frames(), 0
    for each, picture in zip(own, pictures_of([grey_frame(each) for each in own], kind), strict=True):
        with contextlib.suppress(InvalidImage), torch.inference_mode():
            right += digits(torch.from_numpy(frame_of(picture))[None, None]).argmax().item() == int(each.label)
    assert right >= HARD.get(kind, READ) * len(own)


@pytest.mark.parametrize("kind", ["plain paper", "ruled", "squared", "a sheet on a desk"])
def test_the_box_is_around_the_character(kind):
    own = [grey_frame(each) for each in frames()[::10]]
    for picture in pictures_of(own, kind):
        grey = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE)
        left, top, right, bottom = find_ink(grey).box
        assert 0.1 < max(right - left, bottom - top) / min(grey.shape) < 0.65


@pytest.mark.parametrize("light", [60, 128, 250])
@pytest.mark.parametrize("side", [40, 320, 900])
def test_plain_paper_is_blank(side, light):
    paper = np.full((side, side), light, np.uint8)
    with pytest.raises(InvalidImage, match="blank"):
        find_ink(paper)


def test_the_card_is_of_the_network():
    card = training.InkCard.read(card_path(NETWORK))
    assert card.sha256 == sha256(NETWORK)
    assert card.parameters < 120_000
    assert b"/training/ink/" not in NETWORK.read_bytes()  # stack traces of the exporter name folders of a machine
    assert card.overlap > 0.6


def test_a_stopped_training_goes_on_to_the_same_network(small_data, tmp_path, monkeypatch):
    def train(runs: str, out: str) -> dict:
        arguments = ["ink", "--scenes", "16", "--epochs", "2", "--threads", "1"]
        paths = ["--runs", str(tmp_path / runs), "--out", str(tmp_path / out)]
        monkeypatch.setattr("sys.argv", [*arguments, *paths])
        monkeypatch.setattr(training, "HELD_OUT", 8)
        training.main()
        return json.loads((tmp_path / out).with_suffix(".json").read_text())

    def stop(*_: object) -> float:
        raise KeyboardInterrupt

    whole = train("whole", "whole.onnx")
    with monkeypatch.context() as patch:
        measure = training.overlap
        calls: list[int] = []
        patch.setattr(
            training, "overlap", lambda *given: calls.append(1) or (stop() if len(calls) > 1 else measure(*given))
        )
        with pytest.raises(KeyboardInterrupt):
            train("stopped", "stopped.onnx")
    assert train("stopped", "stopped.onnx")["history"] == whole["history"]
    assert (tmp_path / "whole.onnx").stat().st_size > 100_000


def test_scenes_depend_on_their_seed_alone(small_data, tmp_path):
    one, other = (
        pool_of(make_views, 6, 5, tmp_path / name / "views.npy", processes) for name, processes in (("a", 1), ("b", 2))
    )
    assert np.array_equal(one, other)
    assert one.shape == (12, 5, 64, 64)
    assert not np.array_equal(one, pool_of(make_views, 6, 6, tmp_path / "c" / "views.npy", 1))


WHOLE = (slice(0, 64), slice(0, 64))


def seen_of(*strokes: tuple[int, int, int, int, float, float]) -> ink_network.Seen:
    """Bars of left, top, width and height in a view, with the ink and the marks that the network sees in them."""
    ink, marks = (np.zeros((64, 64), np.float32) for _ in range(2))
    for left, top, width, height, inked, marked in strokes:
        ink[top : top + height, left : left + width] = inked
        marks[top : top + height, left : left + width] = marked
    return ink_network.Seen(ink, marks, np.zeros_like(ink))


def test_of_writing_that_lies_apart_the_one_with_the_most_ink_is_the_character():
    character, beside, far = (20, 20, 4, 20, 1.0, 0.0), (26, 20, 8, 4, 0.8, 0.0), (5, 2, 30, 5, 0.5, 0.0)
    found, box, everywhere = writing(seen_of(character, beside, far), WHOLE)
    assert tuple(box) == (20, 20, 14, 20)
    assert found[2:7].max() == 0
    assert everywhere[2:7].max() == 0  # nor is it another character: the network is not sure of it
    assert found[20:40, 20:34].sum() == seen_of(character, beside).ink.sum()


@pytest.mark.parametrize("inside", [WHOLE, (slice(0, 48), slice(0, 64))], ids=["square", "wide"])
def test_a_shadow_that_comes_from_the_edge_of_the_picture_is_no_character(inside):
    last = inside[0].stop
    character, shadow = (20, 12, 4, 20, 0.8, 0.0), (45, last - 12, 10, 12, 1.0, 0.0)
    found, box, _ = writing(seen_of(character, shadow), inside)
    assert tuple(box) == (20, 12, 4, 20)
    assert found.max() == 1
    away = (45, last - 13, 10, 12, 1.0, 0.0)  # it ends before the edge
    assert tuple(writing(seen_of(character, away), inside)[1]) == (45, last - 13, 10, 12)


def test_a_view_may_show_more_than_the_picture():
    assert shown(Window(0, -10, 100), (80, 100), 50) == (slice(5, 45), slice(0, 50))
    assert shown(Window(-5, 20, 40), (50, 100), 40) == (slice(0, 30), slice(5, 40))
    assert shown(Window(0, -249, 500), (2, 500), 64) == (slice(32, 33), slice(0, 64))  # less than a pixel of it
    assert shown(Window(60, 0, 40), (50, 50), 40) == (slice(0, 40), slice(0, 1))  # nothing of it


def test_the_network_is_told_what_is_beyond_the_picture():
    beyond = beyond_of(shown(Window(-5, 20, 40), (50, 100), 40), 40)
    assert beyond[:30, 5:].max() == 0
    assert beyond[30:].min() == beyond[:, :5].min() == 1
    view = np.full((1, 40, 40), 0.9, np.float32)
    view[0, 10:20, 10:12] = 0.2  # dark on light
    for each in (view, 1 - view):
        inputs = stretched(each, beyond)
        assert inputs.shape == (1, ink_network.INPUTS, 40, 40)
        assert np.array_equal(inputs[0, 2], beyond)  # as it is, whichever way the colours go
        assert inputs[0, 0, 15, 11] < inputs[0, 0, 30, 30]


def test_ink_that_a_scan_of_one_bit_turns_white_is_none():
    generator = np.random.default_rng(3)
    scene = start([grey_frame(frames()[0])], generator, (0.4, 0.6))
    scene.pen = 0.5
    pen.put_ink(scene)
    scene.grey[:, : scene.shape[1] // 2] += 1  # a reflection
    camera.one_bit(scene)
    assert scene.ink[scene.grey > 0].max() == 0
    assert scene.ink[scene.grey == 0].max() > 0.9


def test_a_scene_that_is_seen_aslant_keeps_its_truth():
    scene = start([grey_frame(frames()[0])], np.random.default_rng(4), (0.4, 0.6))
    pen.put_ink(scene)
    before = scene.box
    camera.aslant(scene)
    assert scene.box != before
    left, top, right, bottom = (round(edge) for edge in scene.box)
    assert scene.ink[max(0, top) : bottom, max(0, left) : right].sum() > 0.99 * scene.ink.sum()
    inked, bare = (scene.grey[where].mean() for where in (scene.ink > 0.9, scene.ink == 0))
    assert inked < bare - 0.1


@pytest.mark.parametrize("step", [paper.stained, paper.watermarked])
def test_what_is_pale_on_paper_stays_lighter_than_the_pen(step):
    darkened = 0
    for seed in range(20):
        scene = start([grey_frame(frames()[0])], np.random.default_rng(seed), (0.4, 0.6))
        level, pen_level = scene.grey[0, 0], scene.grey[0, 0] * scene.pen
        step(scene)
        darkened += scene.grey.min() < level
        assert scene.grey.min() >= pen_level + 0.3 * (level - pen_level)
    assert darkened > 10


def test_an_outline_has_no_ink_where_the_stroke_had_it():
    scene = start([grey_frame(frames()[0])], np.random.default_rng(4), (0.4, 0.6))
    stroke, before = scene.ink > 0.9, scene.box
    pen.hollow(scene)
    assert scene.ink[stroke].max() == 0
    assert scene.ink.max() > 0.9
    assert scene.box[0] < before[0]
    assert scene.box[3] > before[3]


def test_a_character_that_is_crossed_out_is_none():
    found = 0
    for seed in range(20):
        scene = start([grey_frame(frames()[0])], np.random.default_rng(seed), (0.2, 0.3))
        ink = scene.ink.copy()
        pen.corrected(grey_frame(frames()[1]))(scene)
        assert np.array_equal(scene.ink, ink)
        found += scene.marks.max() > 0.9
    assert found > 10


def test_a_part_of_a_stroke_that_is_taken_for_a_mark_belongs_to_where_the_next_look_goes():
    found, box, _ = writing(seen_of((20, 20, 4, 20, 1.0, 0.0), (24, 36, 20, 4, 0.1, 0.9)), WHOLE)
    assert tuple(box) == (20, 20, 24, 20)
    assert found[36:40, 25:44].max() < 0.2


def test_training_goes_on_from_what_the_file_computes(tmp_path):
    generator = np.random.default_rng(5)
    views = np.stack([cv2.GaussianBlur(each, (0, 0), 2) for each in generator.random((64, 64, 64), np.float32)])
    inputs = torch.from_numpy(stretched(views, np.eye(64, dtype=np.float32)))
    network = restore(NETWORK, inputs)
    with torch.inference_mode():
        for mode in (network.eval(), network.train()):
            assert np.allclose(mode(inputs).sigmoid(), ink_network.run(inputs.numpy()), atol=1e-3)
    trained = tmp_path / "ink.onnx"
    with torch.no_grad():
        network.leave.bias += 1
    export(network.eval(), trained)
    with torch.inference_mode():
        wanted = network(inputs).sigmoid().numpy()
    [found] = ink_network.open_session(trained).run(None, {"views": inputs.numpy()})
    assert np.allclose(found, wanted, atol=1e-3)


def test_training_does_not_start_from_the_file_that_it_writes(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["training.ink", "--start", str(NETWORK)])
    with pytest.raises(SystemExit):
        training.main()
    assert "--start and --out are both" in capsys.readouterr().err
