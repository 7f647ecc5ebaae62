"""Which archives may be loaded."""

import pickle
import shutil
import zipfile
from pathlib import Path

import pytest

from deploy.checksums import ArchiveError, check, check_all, checksum_of, copy_archive, write_checksum
from deploy.local.settings import ROOT
from tests.archives import SPOILED

DIGITS = ROOT / "model_store" / "digits-1.0.mar"


@pytest.fixture
def archive(tmp_path) -> Path:
    return copy_archive(DIGITS, tmp_path)


def holding(archive: Path, name: str, content: bytes) -> Path:
    """An archive with one more file and a new checksum."""
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr(name, content)
    write_checksum(archive)
    return archive


def test_an_archive_of_ours_may_be_loaded(archive):
    assert check(archive) == ("digits", "1.0")


def test_its_checksum_has_the_format_of_sha256sum(archive):
    digest, name = checksum_of(archive).read_text().split()
    assert (len(digest), name) == (64, "digits-1.0.mar")


@pytest.mark.parametrize("name", SPOILED)
def test_an_invalid_archive_is_refused_by_name(archive, name):
    spoiled = archive.rename(archive.with_name("digits-tiny-1.0.mar"))
    checksum_of(archive).rename(checksum_of(spoiled))
    spoil, complaint = SPOILED[name]
    spoil(spoiled)
    with pytest.raises(ArchiveError, match=complaint) as caught:
        check(spoiled)
    assert str(spoiled) in str(caught.value)


@pytest.mark.parametrize("name", ["weights.pt", "weights.pkl", "data.npy", "weights", "handler.pyc", "lib.so"])
def test_an_archive_with_a_pickle_or_a_library_is_refused(archive, name):
    with pytest.raises(ArchiveError, match=f"holds '{name}'"):
        check(holding(archive, name, pickle.dumps([])))


@pytest.mark.parametrize("name", ["../handler.py", "/opt/handler.py", "a/../../handler.py", "..\\handler.py"])
def test_nothing_is_unpacked_outside_of_its_folder(archive, name):
    with pytest.raises(ArchiveError, match="outside of its folder"):
        check(holding(archive, name, b""))


def test_an_archive_from_elsewhere_is_loaded_once_its_checksum_is_written(archive):
    checksum_of(archive).unlink()
    with pytest.raises(ArchiveError, match="has no sha256 beside it"):
        check(archive)
    write_checksum(archive)
    assert check(archive) == ("digits", "1.0")


def test_the_other_archives_are_loaded_beside_a_broken_one(archive):
    shutil.copy(archive, archive.with_name("lenet5-1.0.mar"))  # without its sum
    good, [error] = check_all(archive.parent)
    assert good == {archive: ("digits", "1.0")}
    assert "lenet5-1.0.mar" in str(error)
