"""The files of today's phones, scanners and programs, as the decoder reads them or says what they are."""

import gzip
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import psutil
import pytest
from PIL import Image

from handwriting.errors import ImageTooLarge, InvalidImage
from handwriting.preprocess import decode, find_character, read_picture
from handwriting.sandbox import child, parent
from tests.phone_pictures import blank, clear_bmp, deep, heic, seven
from tests.pictures import encode, mnist_frame, zipped
from tests.waiting import eventually

APART = ("AVIF", "JPEG2000", "PPM", "ICO")


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return mnist_frame(encode(seven()))


@pytest.mark.parametrize("form", APART)
def test_a_format_that_is_decoded_apart_gives_the_same_frame(frame, form):
    assert np.abs(mnist_frame(encode(seven(), form)) - frame).mean() < 0.01


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_the_heic_of_a_phone_gives_the_same_frame(frame, mode):
    assert np.abs(mnist_frame(heic(seven().convert(mode))) - frame).mean() < 0.01


def test_a_heic_that_was_turned_is_read_upright(frame):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = heic(seven().rotate(90, expand=True), exif=exif.tobytes())
    assert np.abs(mnist_frame(turned) - frame).mean() < 0.01


def test_ink_on_a_transparent_avif_is_seen(frame):
    alpha = 255 - np.asarray(seven())
    picture = encode(np.dstack([np.zeros((*alpha.shape, 3), np.uint8), alpha]), "AVIF")
    assert np.abs(mnist_frame(picture) - frame).mean() < 0.02


def test_the_first_page_of_a_pdf_is_a_picture(frame):
    assert np.abs(mnist_frame(encode(seven(), "PDF")) - frame).mean() < 0.02


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_a_colour_scan_of_few_bits_in_16_is_as_light_as_it_was_meant(bits, suffix):
    grey = read_picture(deep(seven(), bits, suffix)).grey
    assert np.abs(grey.astype(int) - np.asarray(seven())).max() <= 1


def test_a_bmp_with_an_alpha_channel_of_zeros_is_opaque(frame):
    assert np.abs(mnist_frame(clear_bmp(seven())) - frame).mean() < 0.01


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_a_jpeg_without_its_last_two_bytes_is_read_with_a_note(frame, mode, progressive):
    picture = read_picture(encode(seven().convert(mode), "JPEG", progressive=progressive)[:-2])
    character = find_character(picture, "mnist")
    assert np.abs(character.frames[0] - frame).mean() < 0.01
    assert character.notes == (decode.ENDS_EARLY,)


def cut_by_rows(image: Image.Image) -> bytes:
    """A JPEG of which the last rows are missing."""
    whole = encode(image, "JPEG", quality=95)
    return next(whole[:-cut] for cut in range(3, len(whole)) if read_picture(whole[:-cut]).is_cut)


def test_a_jpeg_whose_last_rows_are_missing_is_read_if_the_writing_ends_before(frame):
    character = find_character(read_picture(cut_by_rows(seven())), "mnist")
    assert np.abs(character.frames[0] - frame).mean() < 0.01
    assert character.notes == (decode.ENDS_EARLY,)


def test_a_jpeg_whose_writing_reaches_the_missing_rows_is_refused():
    rows = np.flatnonzero((np.asarray(seven()) < 128).any(axis=1))
    cut = read_picture(cut_by_rows(seven().crop((0, 0, 300, int(rows[-1])))))
    with pytest.raises(InvalidImage, match="writing reaches the rows that are missing"):
        find_character(cut, "mnist")


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_a_jpeg_of_which_most_is_missing_is_refused(progressive):
    whole = encode(Image.effect_noise((320, 320), 60), "JPEG", progressive=progressive)
    with pytest.raises(InvalidImage, match="truncated"):
        read_picture(whole[: len(whole) // 6])


KNOWN = {
    "JPEG XL": b"\xff\x0a" + bytes(40),
    "JPEG XL ": b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(40),
    "SVG": b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "HTML": b"<!DOCTYPE html><title>404</title>",
    "Photoshop": b"8BPS\x00\x01" + bytes(40),
    "PostScript": b"%!PS-Adobe-3.0",
    "ZIP file": zipped({"a.png": b"x"}),
    "gzip": gzip.compress(b"x"),
    "7z": b"7z\xbc\xaf\x27\x1c" + bytes(40),
    "video": b"\x00\x00\x00\x18ftypmp42" + bytes(40),
    "raw photograph": b"\x00\x00\x00\x18ftypcrx " + bytes(40),
    "DICOM": bytes(128) + b"DICM" + bytes(40),
    "tar": bytes(257) + b"ustar" + bytes(40),
    "text": "Grüße\n".encode(),
    "IDX": b"\x00\x00\x08\x01" + bytes(40),
    "PNG is damaged": b"\x89PNG\r\n\x1a\n" + bytes(40),
    "JPEG is damaged": b"\xff\xd8\xff\xe0" + bytes(40),
    "damaged": b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(40),
    "HEIC cannot be read": b"\x00\x00\x00\x18ftypheic" + bytes(40),
    "AVIF cannot be read": b"\x00\x00\x00\x18ftypavif" + bytes(40),
    "PDF cannot be read": b"%PDF-1.7\n",
    "ICO cannot be read": b"\x00\x00\x01\x00\x01\x00" + bytes(40),
    "PNM cannot be read": b"P5 2 2 255 ",
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_format_that_is_not_read_is_refused_by_name(name):
    with pytest.raises(InvalidImage) as caught:
        read_picture(KNOWN[name])
    assert name.strip() in str(caught.value)
    assert "starts with" not in str(caught.value)


@pytest.mark.parametrize("form", ["AVIF", "JPEG2000", "PPM"])
def test_more_than_25_megapixels_are_refused_before_they_are_decoded(form):
    with pytest.raises(ImageTooLarge, match="5100 x 5000 px; at most 25 megapixels"):
        read_picture(encode(Image.new("1" if form == "PPM" else "L", (5100, 5000)), form))


def test_the_sandbox_has_the_decoders_limits():
    assert (child.MAX_MEGAPIXELS, child.LONGEST_PX) == (decode.MAX_MEGAPIXELS, decode.LONGEST_PX)


def server() -> psutil.Process:
    """The running process that forks one for each file."""
    return psutil.Process(parent.SERVER._process.pid)


def test_one_process_forks_one_for_each_file():
    read_picture(encode(seven(), "AVIF"))
    first = server()
    read_picture(heic(seven()))
    assert server() == first
    eventually(lambda: not first.children(), "the forks to end")


def test_a_server_of_decoders_that_died_is_replaced():
    read_picture(encode(seven(), "AVIF"))
    first = server()
    first.kill()
    assert read_picture(encode(seven(), "AVIF")).grey.any()
    assert server() != first


def test_a_server_of_decoders_that_hangs_is_replaced(monkeypatch):
    read_picture(encode(seven(), "AVIF"))
    first = server()
    first.suspend()
    with monkeypatch.context() as changed:
        changed.setattr(parent, "WALL_S", 0.1)
        changed.setattr(parent, "GRACE_S", 0.1)
        with pytest.raises(InvalidImage, match="AVIF cannot be read: decoding a page takes over"):
            read_picture(encode(seven(), "AVIF"))
    assert not first.is_running()
    assert read_picture(encode(seven(), "AVIF")).grey.any()


def test_a_server_of_decoders_ends_with_the_one_that_started_it():
    code = "from handwriting.sandbox.parent import SERVER; SERVER.fork('AVIF'); print(SERVER._process.pid, flush=True)"
    killed = f"{code}; import os; os.kill(os.getpid(), 9)"
    for each in (code, killed):
        done = subprocess.run([sys.executable, "-c", each], capture_output=True, check=False, timeout=120)
        eventually(partial(has_ended, int(done.stdout)), f"the end of process {done.stdout}", 60)


def has_ended(pid: int) -> bool:
    return not psutil.pid_exists(pid)


def test_a_fork_of_a_process_has_a_server_of_decoders_of_its_own():
    """As gunicorn forks one that has read pictures; the fork's end leaves the first one's server alone."""
    code = """
import os, sys
from pathlib import Path
from handwriting.preprocess.decode import read_picture
from handwriting.sandbox.parent import SERVER
picture = Path(sys.argv[1]).read_bytes()
read_picture(picture)
first = SERVER._process.pid
child = os.fork()
if child == 0:
    read_picture(picture)
    assert SERVER._process.pid != first
    os._exit(3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
read_picture(picture)
assert SERVER._process.pid == first
"""
    with tempfile.NamedTemporaryFile(suffix=".avif") as file:
        file.write(encode(seven(), "AVIF"))
        file.flush()
        subprocess.run([sys.executable, "-c", code, file.name], check=True, timeout=120)


def test_threads_decode_at_the_same_time():
    files = [encode(seven(), "AVIF"), heic(seven()), b"%PDF-1.7\n"] * 4
    with ThreadPoolExecutor(6) as pool:
        read = list(pool.map(read_or_error, files))
    assert [isinstance(each, InvalidImage) for each in read] == [False, False, True] * 4


def read_or_error(content: bytes) -> object:
    try:
        return read_picture(content)
    except InvalidImage as err:
        return err


def test_a_decoder_that_takes_too_much_time_is_stopped(monkeypatch):
    read_picture(encode(seven(), "AVIF"))
    first = server()
    monkeypatch.setattr(parent, "WALL_S", 0.05)
    with pytest.raises(InvalidImage, match="PNM cannot be read: decoding a page takes over"):
        read_picture(b"P2 2000 2000 255 " + b"1 " * 4_000_000)
    assert server() == first


def test_a_decoder_that_takes_too_much_memory_is_stopped():
    huge = heic(blank()).replace((300).to_bytes(4) * 2, (4999).to_bytes(4) * 2)
    with pytest.raises(InvalidImage, match="HEIC cannot be read"):
        read_picture(huge)


@pytest.mark.parametrize("form", [*APART, "HEIF", "PDF"])
def test_a_file_with_flipped_bits_is_read_or_refused_but_never_anything_else(form):
    whole = heic(seven()) if form == "HEIF" else encode(seven(), form)
    random = np.random.default_rng(0)
    for _ in range(6):
        damaged = bytearray(whole)
        for position in random.integers(0, len(whole), 9):
            damaged[position] ^= 1 << int(random.integers(8))
        try:
            read_picture(bytes(damaged))
        except (InvalidImage, ImageTooLarge):
            continue
