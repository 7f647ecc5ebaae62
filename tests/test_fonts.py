"""Characters drawn from fonts, and how the fonts are fetched."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib import get_data_path

from handwriting.labels import CHARACTERS
from inkserve.command import run
from training import download
from training.data import DataError
from training.fonts import render
from training.fonts.fetch import fetch_fonts

NPM = """#!/bin/sh
mkdir -p node_modules/@a/plain/files node_modules/@a/light/files
echo plain > node_modules/@a/plain/files/plain-latin-400-normal.woff
echo other > node_modules/@a/plain/files/plain-greek-400-normal.woff
echo light > node_modules/@a/light/files/light-latin-300-normal.woff
"""


@pytest.fixture
def fonts(tmp_path, monkeypatch):
    """DATA_DIR with one font, taken for the known ones."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    content = (Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf").read_bytes()
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "dejavu-sans.woff").write_bytes(content)
    monkeypatch.setattr(render, "SHA256", None)
    return tmp_path / "fonts"


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Puts another program in npm's place."""

    def place(script: str) -> None:
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir()
        program.write_text(script)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    return place


def test_all_letters_and_digits_are_drawn(fonts):
    drawn = render.draw_characters(CHARACTERS, "emnist", drawings=2, seed=0)
    counts = np.bincount(drawn.labels, minlength=len(CHARACTERS))
    assert counts[CHARACTERS.index("7")] == 2
    assert counts[CHARACTERS.index("a")] == 2
    assert counts[CHARACTERS.index("C")] == 4  # c and C
    assert list(drawn.files) == ["1 handwriting fonts"]


def test_drawings_fill_the_normal_form(fonts):
    images = render.draw_characters(CHARACTERS, "emnist", drawings=1, seed=0).images > 76
    heights, widths = images.any(axis=2).sum(axis=1), images.any(axis=1).sum(axis=1)
    longest = np.maximum(heights, widths)
    assert longest.min() >= 22
    assert longest.max() <= 26


def test_the_same_seed_draws_the_same(fonts):
    first, second, other = (render.draw_characters(CHARACTERS, "emnist", 1, seed).images for seed in (0, 0, 1))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_other_fonts_than_the_pinned_ones_are_refused(fonts, monkeypatch):
    monkeypatch.setattr(render, "SHA256", "0" * 64)
    with pytest.raises(DataError, match="sha256"):
        render.read_fonts()


def test_without_fonts_the_error_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match="make data ARGS=--fonts"):
        render.read_fonts()


def test_one_font_of_each_package_is_kept(tmp_path, npm):
    npm(NPM)
    fetch_fonts(tmp_path / "fonts")
    assert {path.name: path.read_text() for path in (tmp_path / "fonts").iterdir()} == {
        "plain.woff": "plain\n",
        "light.woff": "light\n",
    }
    assert {path.name for path in tmp_path.iterdir()} == {"fonts", "bin"}


def test_a_failed_fetch_leaves_the_fonts_that_are_there(fonts, npm):
    npm("#!/bin/sh\nexit 3\n")
    with pytest.raises(DataError, match="exit code 3"):
        fetch_fonts(fonts)
    assert len(render.read_fonts()) == 1


def test_without_npm_the_download_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(download, "MNIST", [])
    assert run("data", lambda: download.main(["--fonts"])) == 1
    assert "npm" in capsys.readouterr().err
