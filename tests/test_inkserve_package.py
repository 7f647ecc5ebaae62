"""What people install: light, independent of what archives carry, and enough to read a picture from a server."""

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from PIL import Image

import handwriting.zips
from deploy.local.settings import ROOT
from handwriting.preprocess import decode
from inkserve import UnusablePicture
from inkserve.batch import kinds, sources
from inkserve.client import pictures
from tests.answering import SEVEN, answering
from tests.conftest import drawings

HEAVY = ("cv2", "handwriting", "numpy", "streamlit", "torch", "tqdm", "ts")
NO_NETWORK = ("NewConnectionError", "NameResolutionError", "Network is unreachable", "ConnectTimeoutError")


def python(code: str, *arguments: str, executable: str = sys.executable) -> subprocess.CompletedProcess:
    command = [executable, "-I", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


# What is imported


@pytest.mark.parametrize("module", ["inkserve", "inkserve.management", "inkserve.metrics", "inkserve.cli"])
def test_nothing_heavy_is_imported(module):
    done = python(f"import sys, {module}; print(*(each for each in {HEAVY} if each in sys.modules))")
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


def test_the_client_imports_nothing_of_the_command():
    done = python("import sys, inkserve; print(*(each for each in ('typer', 'rich') if each in sys.modules))")
    assert (done.returncode, done.stdout.split()) == (0, [])


def test_without_numpy_pictures_are_read_and_an_explanation_says_what_it_needs():
    code = """
import sys
sys.modules["numpy"] = None  # as if it were not installed
from inkserve import Recogniser
with Recogniser("digits", sys.argv[1]) as digits:
    print(digits.predict(sys.argv[2]).label)
    digits.explain(sys.argv[2])
"""
    with answering((200, SEVEN)) as server:
        done = python(code, server.url, str(drawings()[0]))
    assert done.stdout == "7\n"
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: an explanation needs NumPy: pip install numpy"


# What both packages know


def test_client_and_server_have_the_same_limits():
    for name in ("MAX_BYTES", "MAX_MEGAPIXELS", "LONGEST_PX", "MODES"):
        assert getattr(pictures, name) == getattr(decode, name)


@pytest.mark.parametrize("size", [(5000, 5000), (5001, 5000), (65_535, 1), (65_536, 1)])
def test_client_and_server_refuse_the_same_sizes_in_the_same_words(size):
    def refusal(check) -> str:
        try:
            check()
        except ValueError as err:
            return str(err)
        return ""

    on_server = refusal(lambda: decode.check_size(*size))
    assert refusal(lambda: pictures.encode(Image.new("1", size))) == on_server
    assert bool(on_server) == (size in {(5001, 5000), (65_536, 1)})


def test_client_and_server_read_zip_files_alike():
    assert (sources.SAFE_METHODS, sources.BAD_ZIP) == (handwriting.zips.SAFE_METHODS, handwriting.zips.BAD_ZIP)
    for name in (
        "a.png",
        "a/b.png",
        "__MACOSX/a.png",
        ".a/b.png",
        "a/.b.png",
        "../a.png",
        "a/__MACOSX/b",
        "a__MACOSX/b",
        "a/Thumbs.db",
        "DESKTOP.INI",
        "labels.csv",
    ):
        assert bool(kinds.why_left_out(name)) == handwriting.zips.is_left_out(name)
    assert (kinds.SYSTEM_FILES, kinds.OTHER_SUFFIXES) == (
        handwriting.zips.SYSTEM_FILES,
        handwriting.zips.OTHER_SUFFIXES,
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_client_and_server_unpack_the_same_members(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "scans.zip", "w", method) as archive:
        archive.writestr("7.png", b"seven")
    with zipfile.ZipFile(tmp_path / "scans.zip") as archive:
        [(_, member)] = sources.list_members(archive)
        try:
            on_server = handwriting.zips.read_member(archive, archive.infolist()[0])
        except ValueError as err:
            with pytest.raises(UnusablePicture, match="packing method is 12") as caught:
                pictures.to_bytes(member)
            assert str(err) in str(caught.value)
        else:
            assert member.read_bytes() == on_server


# The wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder of commands of a fresh environment with the wheel alone."""
    folder = tmp_path_factory.mktemp("wheel")
    venv.create(folder, with_pip=True)
    commands = folder / "bin"
    done = subprocess.run(
        [commands / "pip", "install", "--quiet", "--disable-pip-version-check", ROOT],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode and any(each in done.stderr for each in NO_NETWORK):
        pytest.skip("no package index answers")
    assert done.returncode == 0, done.stderr
    return commands


@pytest.mark.server
def test_a_fresh_environment_reads_a_picture_and_has_nothing_heavy(stack, installed):
    command = [installed / "inkserve", "read", "--json", "--url", stack.inference_url, *drawings()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == [path.stem[0] for path in drawings()]
    code = f"import importlib.util as u; print(*(each for each in {HEAVY} if u.find_spec(each)))"
    assert python(code, executable=str(installed / "python")).stdout.split() == []
    code = "import inkserve, pathlib; print((pathlib.Path(inkserve.__file__).parent / 'py.typed').exists())"
    assert python(code, executable=str(installed / "python")).stdout.split() == ["True"]
