"""The download of the data, from a server of the test's own."""

import functools
import gzip
import http.server
import threading
import zipfile

import numpy as np
import pytest

from inkserve.command import run
from training import download
from training.data import load_characters, write_idx


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Write nothing."""


@pytest.fixture
def mirror(tmp_path):
    """A folder, and the address that serves it."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def fetch(url: str, *more: str) -> int:
    return run("data", lambda: download.main(["--mirror", url, "--emnist-url", f"{url}/gzip.zip", *more]))


def test_other_contents_than_the_official_ones_do_not_take_the_place(mirror, data, monkeypatch, capsys):
    folder, url = mirror
    for name in download.MNIST:
        (folder / name.removeprefix("mnist/")).write_bytes(gzip.compress(b"not MNIST"))
    assert fetch(url) == 1
    assert "sha256" in capsys.readouterr().err
    assert not list(data.glob("mnist/*.gz"))


def test_a_failed_download_says_where_to_put_the_files(mirror, data, monkeypatch, capsys):
    assert fetch(mirror[1]) == 1
    printed = capsys.readouterr().err
    assert "404" in printed
    assert str(data / "mnist" / "t10k-labels-idx1-ubyte.gz") in printed


def official_zip(path, images, labels) -> None:
    """A ZIP file as NIST's, whose pictures are transposed."""
    with zipfile.ZipFile(path, "w") as archive:
        for member in download.EMNIST.values():
            values = images.transpose(0, 2, 1) if "images" in member else labels
            write_idx(path.with_suffix(".idx"), np.ascontiguousarray(values))
            archive.write(path.with_suffix(".idx"), member)


def test_emnist_is_unpacked_upright(mirror, data, monkeypatch):
    folder, url = mirror
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    labels = np.arange(5, dtype=np.uint8)
    official_zip(folder / "gzip.zip", images, labels)
    monkeypatch.setattr(download, "MNIST", [])
    for name in download.EMNIST:
        monkeypatch.delitem(download.SHA256, name, raising=False)
    assert fetch(url, "--emnist") == 0
    characters = load_characters("emnist", "train")
    assert np.array_equal(characters.images, images)
    assert characters.labels.tolist() == labels.tolist()
    assert not (data / "emnist" / "gzip.zip").exists()


def test_another_test_set_than_the_known_one_is_refused(mirror, data, monkeypatch, capsys):
    folder, url = mirror
    official_zip(folder / "gzip.zip", np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.uint8))
    monkeypatch.setattr(download, "MNIST", [])
    assert fetch(url, "--emnist") == 1
    assert "emnist-bymerge-test-images" in capsys.readouterr().err
