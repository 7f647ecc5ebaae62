import re
import tomllib

import numpy as np
import pytest
from PIL import Image

from deploy.local.settings import ROOT
from handwriting.errors import ImageTooLarge, InvalidImage, InvalidRequest
from handwriting.preprocess import MAX_BYTES, read_array, read_picture
from tests.conftest import drawings
from tests.pictures import encode, mnist_frame


@pytest.fixture
def drawing() -> Image.Image:
    return Image.open(drawings()[0]).convert("L")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_documented_format_gives_the_same_frame(drawing, form):
    assert np.abs(mnist_frame(encode(drawing, form)) - mnist_frame(encode(drawing))).mean() < 0.01


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_png_gives_the_same_frame(drawing, mode):
    deep = Image.fromarray(np.asarray(drawing).astype(np.uint16) * 257)
    picture = deep if mode == "I;16" else drawing.convert(mode)
    assert np.abs(mnist_frame(encode(picture)) - mnist_frame(encode(drawing))).mean() < 0.02


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_a_16_bit_picture_that_uses_fewer_bits_is_seen_as_its_scanner_meant_it(drawing, bits):
    few = (np.asarray(drawing).astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    assert np.array_equal(read_picture(encode(Image.fromarray(few), "TIFF")).grey, np.asarray(drawing))


def test_a_cmyk_jpeg_is_read(drawing):
    picture = encode(drawing.convert("CMYK"), "JPEG")
    assert np.abs(mnist_frame(picture) - mnist_frame(encode(drawing))).mean() < 0.02


@pytest.mark.parametrize("ink", [0, 255])
def test_ink_on_a_transparent_page_is_seen_whatever_its_colour(drawing, ink):
    alpha = 255 - np.asarray(drawing)
    picture = encode(np.dstack([np.full_like(alpha, ink), alpha]))
    assert np.abs(mnist_frame(picture) - mnist_frame(encode(drawing))).mean() < 0.02


def test_transparent_corners_of_a_light_photograph_are_paper(drawing):
    alpha = np.full_like(np.asarray(drawing), 255)
    alpha[:10, :10] = 0
    rounded = encode(np.dstack([np.asarray(drawing), alpha]))
    assert np.abs(mnist_frame(rounded) - mnist_frame(encode(drawing))).mean() < 0.01


def test_exif_rotation_is_honoured(drawing):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn 90 degrees clockwise to view
    turned = encode(drawing.rotate(90, expand=True), "JPEG", exif=exif)
    assert np.abs(mnist_frame(turned) - mnist_frame(encode(drawing))).mean() < 0.01


def test_the_first_frame_of_an_animation_is_read(drawing):
    blank = Image.new("L", drawing.size, 255)
    animation = encode(drawing, "GIF", save_all=True, append_images=[blank])
    assert np.abs(mnist_frame(animation) - mnist_frame(encode(drawing))).mean() < 0.02


def test_an_empty_body_is_rejected():
    with pytest.raises(InvalidImage, match="0 bytes"):
        read_picture(b"")


def test_bytes_of_no_known_format_are_rejected_and_shown():
    with pytest.raises(InvalidImage, match="starts with 01 02 03"):
        read_picture(bytes(range(1, 9)))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_a_truncated_picture_is_rejected(drawing, form):
    whole = encode(drawing, form)
    with pytest.raises(InvalidImage):
        read_picture(whole[: len(whole) // 3])


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_a_picture_with_flipped_bits_is_read_or_rejected_but_never_anything_else(drawing, form):
    whole = bytearray(encode(drawing, form))
    random = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(whole)
        for position in random.integers(0, len(whole), 3):
            damaged[position] ^= 1 << int(random.integers(8))
        try:
            read_picture(bytes(damaged))
        except (InvalidImage, ImageTooLarge):
            continue


def test_more_than_25_megapixels_are_refused_before_decoding():
    page = Image.new("1", (6000, 5000))
    with pytest.raises(ImageTooLarge, match="6000 x 5000 px; at most 25 megapixels"):
        read_picture(encode(page)[:200])  # the header alone is enough to tell


def test_a_decompression_bomb_is_refused():
    with pytest.raises(ImageTooLarge):
        read_picture(encode(Image.new("1", (20_000, 20_000))))


def test_too_many_bytes_are_refused():
    with pytest.raises(ImageTooLarge, match=f"at most {MAX_BYTES:,}"):
        read_picture(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_an_array_is_read_as_the_picture_is(drawing, channels):
    grey = np.asarray(drawing)
    layers = {
        None: grey,
        1: grey[..., None],
        3: np.dstack([grey] * 3),
        4: np.dstack([grey] * 3 + [np.full_like(grey, 255)]),
    }
    assert np.allclose(read_array(layers[channels].tolist()).grey, read_picture(encode(drawing)).grey, atol=0.005)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ([[1, 2], [3]], "not a rectangle"),
        ([["a", "b"]], "not a rectangle"),
        ([["1", "2"]], "not a rectangle"),
        ([[True, False]], "not a rectangle"),
        ([[None, 1]], "not a rectangle"),
        ([[10**30, 1]], "not a rectangle"),
        ([], "shape"),
        ([[]], "shape"),
        (7, "shape"),
        ([[[1, 2]]], "shape"),
        ([[0, 256]], "outside 0 to 255"),
        ([[0, -1]], "outside 0 to 255"),
        ([[0, float("nan")]], "outside 0 to 255"),
        ({"a": 1}, "not a rectangle"),
    ],
    ids=str,
)
def test_an_array_of_another_shape_is_rejected(values, complaint):
    with pytest.raises(InvalidRequest, match=complaint):
        read_array(values)


def test_a_16_bit_picture_with_impossible_values_is_rejected():
    values = np.full((40, 40), -1.0, np.float32)
    with pytest.raises(InvalidImage, match="not all numbers from 0"):
        read_picture(encode(Image.fromarray(values), "TIFF"))


def test_the_servers_byte_limits_let_the_largest_picture_through():
    properties = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / "config.properties").read_text(), re.MULTILINE))
    streamlit = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert MAX_BYTES <= int(properties["max_request_size"]) <= MAX_BYTES * 1.01
    assert streamlit["server"]["maxUploadSize"] * 2**20 >= MAX_BYTES  # a ZIP file of many may have more
