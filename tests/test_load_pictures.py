import cv2
import numpy as np
import pytest
import torch

from handwriting.checkpoint import load_checkpoint
from handwriting.preprocess import picture_frame
from inkserve.versions import WEIGHTS
from measuring.common.load_pictures import KINDS
from tests.conftest import ROOT


@pytest.mark.parametrize("kind", KINDS)
def test_digits_reads_every_picture_that_load_tests_send(kind):
    pictures = KINDS[kind]()
    frames = np.stack([picture_frame(each.content, "mnist") for each in pictures])
    digits = load_checkpoint(ROOT / "weights" / f"digits-1.0{WEIGHTS}").eval()
    with torch.inference_mode():
        read = digits(torch.from_numpy(frames)[:, None]).argmax(dim=1)
    assert [str(int(label)) for label in read] == [each.label for each in pictures]


def test_photographs_have_12_megapixels():
    height, width, _ = cv2.imdecode(np.frombuffer(KINDS["photographs"]()[0].content, np.uint8), cv2.IMREAD_COLOR).shape
    assert height * width == pytest.approx(12e6, rel=0.02)
