"""The normal form of the page without a server, against that of everything else."""

from itertools import count

import cv2
import numpy as np
import pytest
import torch

from handwriting.checkpoint import load_checkpoint
from handwriting.errors import InvalidImage
from handwriting.preprocess import FORMS, find_ink, ink, ink_network
from handwriting.preprocess.frame import to_frame
from measuring.common.example_digits import frames
from measuring.common.papers import KINDS, pictures_of
from tests.conftest import ROOT, drawings
from training.export.normal_form import BLANK, LOOK, PICTURE_PX, READ, SPECK, Begin, Decide, Frame, Look, pieces

BEGIN = Begin()
LOOKS, DECISIONS = ({side: each(side) for side in (ink_network.VIEW_PX, ink.WIDE_VIEW_PX)} for each in (Look, Decide))


@torch.inference_mode()
def on_device(grey: np.ndarray, form: str) -> tuple[np.ndarray | None, bool]:
    """What reader.js does: the frame, None without ink, and whether the ink network was needed."""
    height, width = grey.shape
    rgba = torch.full((PICTURE_PX, PICTURE_PX, 4), 255, dtype=torch.uint8)
    rgba[:height, :width, :3] = torch.from_numpy(grey)[..., None]
    size, is_last = torch.tensor([height, width], dtype=torch.float32), torch.zeros(())
    shown, outside, status, *found, window = BEGIN(rgba, size)
    looked = bool(status == LOOK)
    if looked:
        found = None
    elif status == BLANK:
        return None, False
    for looks in count() if looked else ():
        side = ink.WIDE_VIEW_PX if looks == 0 and window[2] > ink.WIDE_PX else ink_network.VIEW_PX
        seen = torch.from_numpy(ink_network.run(LOOKS[side](shown, outside, window, size).numpy()))
        before = (size, torch.tensor(float(looks)), is_last)
        is_found, again, is_last, *ink_now, window = DECISIONS[side](seen, window, *before)
        found = ink_now if is_found else found
        if not again:
            break
    if found is None:
        return None, looked
    frame, status = Frame(FORMS[form])(*found, size)
    return (frame[0, 0].numpy() if status == READ else None), looked


def everywhere(grey: np.ndarray, form: str) -> np.ndarray:
    return to_frame(find_ink(grey).ink, FORMS[form])


def grey_of(content: bytes) -> np.ndarray:
    grey = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    scale = min(1, PICTURE_PX / max(grey.shape))
    return grey if scale == 1 else cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def drawn(side: int, pen: int, *strokes: list[tuple[float, float]]) -> np.ndarray:
    grey = np.full((side, side), 255, np.uint8)
    for stroke in strokes:
        cv2.polylines(grey, [np.round(np.array(stroke) * side).astype(np.int32)], False, 0, pen, cv2.LINE_AA)
    return grey


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("side", [90, 320, 640])
def test_a_drawing_has_the_same_frame(form, side):
    seven = [(0.3, 0.25), (0.7, 0.22), (0.45, 0.8)]
    for pen in (1, side // 40 + 1, side // 16):
        grey = drawn(side, pen, seven)
        frame, looked = on_device(grey, form)
        assert not looked
        assert np.abs(frame - everywhere(grey, form)).max() < 1e-3


@pytest.mark.parametrize("form", FORMS)
def test_our_drawings_have_the_same_frames(form):
    for path in drawings():
        grey = grey_of(path.read_bytes())
        frame, _ = on_device(grey, form)
        assert np.abs(frame - everywhere(grey, form)).mean() < 0.02, path.name


def test_digits_on_paper_are_read_as_everywhere_else():
    network, same, all_of_them = load_checkpoint(ROOT / "weights" / "digits-tiny-1.0.safetensors"), 0, 0
    glyphs = [grey_of(each.content) for each in frames()[::6]]
    for kind in KINDS:
        for content in pictures_of(glyphs, kind):
            grey = grey_of(content)
            frame, _ = on_device(grey, "mnist")
            try:
                wanted = everywhere(grey, "mnist")
            except InvalidImage:
                same += frame is None
            else:
                with torch.inference_mode():
                    labels = network(
                        torch.from_numpy(np.stack([frame if frame is not None else 0 * wanted, wanted]))[:, None]
                    ).argmax(1)
                same += frame is not None and bool(labels[0] == labels[1])
            all_of_them += 1
    assert same >= 0.97 * all_of_them, f"{same} of {all_of_them}"


@pytest.mark.parametrize("side", [60, 320, 640])
def test_empty_paper_is_blank_and_a_dot_is_a_speck(side):
    empty = np.full((side, side), 240, np.uint8)
    assert on_device(empty, "mnist")[0] is None
    assert BEGIN(*given(empty))[2] == BLANK
    dot = empty.copy()
    cv2.circle(dot, (side // 2, side // 2), max(1, side // 60), 0, -1)
    begun = BEGIN(*given(dot))
    assert begun[2] == READ
    assert Frame(FORMS["mnist"])(*begun[3:6], given(dot)[1])[1] == SPECK
    with pytest.raises(InvalidImage, match="speck"):
        find_ink(dot)


def given(grey: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    rgba = torch.full((PICTURE_PX, PICTURE_PX, 4), 255, dtype=torch.uint8)
    rgba[: grey.shape[0], : grey.shape[1], :3] = torch.from_numpy(grey)[..., None]
    return rgba, torch.tensor(grey.shape, dtype=torch.float32)


def test_pieces_are_those_of_opencv():
    generator = np.random.default_rng(4)
    shapes = [generator.random((64, 64)) < share for share in (0.1, 0.3, 0.4, 0.6)]
    turns = np.linspace(0.2, 3, 400)  # a spiral is what takes most rounds
    spiral = np.stack([80 + 25 * turns * np.cos(2 * np.pi * turns), 80 + 25 * turns * np.sin(2 * np.pi * turns)], 1)
    canvas = np.zeros((160, 160), np.uint8)
    cv2.polylines(canvas, [np.round(spiral).astype(np.int32)], False, 1, 3)
    for shape in (*shapes, canvas > 0):
        wanted = cv2.connectedComponents(shape.astype(np.uint8))[1]
        found = pieces(torch.from_numpy(shape)).numpy()
        pairs = {(a, b) for a, b in zip(found.ravel().tolist(), wanted.ravel().tolist(), strict=True)}
        assert len(pairs) == wanted.max() + 1 == len(np.unique(found))
