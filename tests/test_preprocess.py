import io

import numpy as np
import pytest
from PIL import Image

from handwriting.errors import InvalidImage
from handwriting.preprocess import FRAME_PX, Picture, normal_form, read_picture
from tests.conftest import drawings
from tests.pictures import encode, enlarged, inverted, mnist_frame, photographed, tightly_cropped


def centre_of_mass(frame: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(frame.shape)
    return float((frame * rows).sum() / frame.sum()), float((frame * columns).sum() / frame.sum())


def ink_span(frame: np.ndarray, threshold: float = 0.1) -> tuple[int, int]:
    rows, columns = np.nonzero(frame > threshold)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.fixture(params=drawings(), ids=lambda path: path.stem)
def drawing(request) -> bytes:
    return request.param.read_bytes()


def test_an_mnist_frame_stays_as_it_is(mnist_test):
    frame = mnist_test.images[0]
    assert np.array_equal(mnist_frame(encode(frame)), frame.astype(np.float32) / 255)


def test_dark_ink_on_white_gives_nearly_the_frame_it_was_made_from(mnist_test):
    frames = mnist_test.images[:50]
    differences = [np.abs(mnist_frame(encode(inverted(frame))) - frame / 255).mean() for frame in frames]
    assert np.mean(differences) < 0.03


def test_enlarging_and_moving_a_digit_does_not_change_its_frame(mnist_test):
    frames = mnist_test.images[:50]
    routes = [(mnist_frame(encode(inverted(frame))), mnist_frame(encode(enlarged(frame)))) for frame in frames]
    assert np.mean([np.abs(near - far).mean() for near, far in routes]) < 0.02


def test_a_drawing_is_centred_by_mass_at_index_14(drawing):
    assert centre_of_mass(mnist_frame(drawing)) == pytest.approx((14.0, 14.0), abs=0.15)


def test_a_drawing_fills_the_20_px_box(drawing):
    assert 18 <= max(ink_span(mnist_frame(drawing))) <= 22


def test_polarity_does_not_matter(drawing):
    dark_on_light = np.asarray(Image.open(io.BytesIO(drawing)).convert("L"))
    assert np.allclose(mnist_frame(encode(255 - dark_on_light)), mnist_frame(encode(dark_on_light)), atol=0.02)


def test_a_lopsided_character_is_not_cut():
    page = np.full((200, 200), 255, np.uint8)
    page[20:60, 60:140] = 0  # a heavy head
    page[60:180, 62:66] = 0  # on a long, thin leg
    assert max(ink_span(mnist_frame(encode(page)))) >= 19


@pytest.mark.parametrize("side", [4, 6, 9])
def test_a_tiny_character_is_shown_whole_and_in_the_middle(side):
    page = np.full((side + 10, side + 10), 255, np.uint8)
    page[5 : 5 + side, 5 + side // 2] = 0
    frame = mnist_frame(encode(page))
    assert centre_of_mass(frame) == pytest.approx((14.0, 14.0), abs=0.5)
    assert ink_span(frame)[0] >= 18


def test_an_uneven_light_on_the_paper_does_not_show_in_the_frame():
    clean = Image.open(drawings()[0]).convert("L")
    photo = mnist_frame(encode(photographed(clean, seed=1)))
    assert np.abs(photo - mnist_frame(encode(clean))).mean() < 0.04


def test_a_fine_pen_is_thickened():
    page = np.full((400, 400), 255, np.uint8)
    page[60:340, 199:201] = 0  # 2 px of 280: 0.14 px in the frame
    assert mnist_frame(encode(page)).max() > 0.9


@pytest.mark.parametrize("side", [28, 64, 400])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_page_is_rejected(side, grey):
    with pytest.raises(InvalidImage, match="blank"):
        mnist_frame(encode(np.full((side, side), grey, np.uint8)))


@pytest.mark.parametrize("seed", range(5))
def test_a_photograph_of_blank_paper_is_rejected(seed):
    with pytest.raises(InvalidImage, match=r"blank|speck"):
        mnist_frame(encode(photographed(Image.new("L", (300, 240), 255), seed)))


def test_a_single_speck_is_rejected_with_its_size():
    page = np.full((200, 200), 255, np.uint8)
    page[90:98, 90:98] = 0
    with pytest.raises(InvalidImage, match=r"speck of \d+ x \d+ px in a picture of 200 x 200 px"):
        mnist_frame(encode(page))


def test_a_picture_that_is_filled_with_ink_is_rejected():
    page = np.zeros((100, 100), np.uint8)
    page[0] = page[-1] = page[:, 0] = page[:, -1] = 255
    with pytest.raises(InvalidImage, match="blank"):
        mnist_frame(encode(page))


def test_a_digit_in_the_corner_of_a_page_is_read_whole():
    glyph = np.asarray(tightly_cropped(255 - np.asarray(Image.open(drawings()[0]).convert("L").resize((28, 28)))))
    page = np.full((200, 200), 255, np.uint8)
    page[: glyph.shape[0], : glyph.shape[1]] = glyph
    assert 18 <= max(ink_span(mnist_frame(encode(page)))) <= 22


def test_the_largest_picture_allowed_is_read():
    wide = np.full((5000, 5000), 255, np.uint8)
    wide[1000:4000, 2300:2700] = 0
    assert mnist_frame(encode(wide)).shape == (FRAME_PX, FRAME_PX)


def test_a_28_px_colour_picture_is_not_an_mnist_frame(mnist_test):
    colour = Image.fromarray(mnist_test.images[0]).convert("RGB")
    picture = read_picture(encode(colour))
    assert picture.channels == 3
    assert not np.array_equal(normal_form(picture, "mnist"), picture.grey)


def test_the_frame_is_the_same_from_bytes_and_from_pixels():
    path = drawings()[0]
    grey = np.asarray(Image.open(path).convert("L"))
    assert np.array_equal(mnist_frame(path.read_bytes()), normal_form(Picture(grey, 1), "mnist"))


def random_picture(random: np.random.Generator) -> np.ndarray:
    """Noise, blobs, plain greys and slopes, down to a single pixel."""
    height, width = random.choice([1, 2, 3, 5, 8, 28, 40, 97, 333], 2)
    kinds = [
        random.integers(0, 256, (height, width)),
        (random.random((height, width)) < random.random()) * 255,
        np.full((height, width), random.integers(256)),
        np.add.outer(np.linspace(0, random.integers(128), height), np.linspace(0, random.integers(128), width)),
    ]
    return kinds[random.integers(len(kinds))].astype(np.uint8)


@pytest.mark.parametrize("seed", range(10))
def test_any_picture_becomes_a_frame_or_a_named_error(seed):
    random = np.random.default_rng(seed)
    for _ in range(100):
        try:
            frame = mnist_frame(encode(random_picture(random)))
        except InvalidImage:
            continue
        assert frame.shape == (FRAME_PX, FRAME_PX)
        assert frame.dtype == np.float32
        assert 0 <= frame.min() <= frame.max() <= 1
