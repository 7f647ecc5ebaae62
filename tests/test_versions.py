"""Versions, and the files that are named after them."""

import pytest

from inkserve.versions import next_version, order, split_name, versions_in


@pytest.fixture
def folder(tmp_path):
    for name in ("digits-1.0.safetensors", "digits-1.9.safetensors", "digits-1.10.mar", "digits-tiny-3.0.mar"):
        (tmp_path / name).touch()
    for other in ("digits-1.99.safetensors.partial", "digits-1.98.json", "digits-x.safetensors", "Digits-1.97.mar"):
        (tmp_path / other).touch()
    return tmp_path


def test_versions_are_sorted_by_their_numbers():
    assert sorted(["1.10", "1.9", "2.0", "1.0"], key=order) == ["1.0", "1.9", "1.10", "2.0"]


@pytest.mark.parametrize(
    ("stem", "parts"),
    [
        ("digits-1.0", ("digits", "1.0")),
        ("characters-edge-1.12", ("characters-edge", "1.12")),
        ("digits", None),
        ("digits-1", None),
        ("../digits-1.0", None),
    ],
)
def test_a_name_is_a_recogniser_and_a_version(stem, parts):
    assert split_name(stem) == parts


def test_the_versions_of_a_recogniser_are_those_of_its_own_files(folder):
    assert versions_in("digits", folder) == ["1.0", "1.9"]
    assert versions_in("digits", folder, endings=(".safetensors", ".mar")) == ["1.0", "1.9", "1.10"]
    assert versions_in("digits", folder / "nowhere") == []


def test_the_next_version_is_a_new_one(folder):
    assert next_version("digits", [folder]) == "1.11"
    assert next_version("digits", [folder], ["1.20"]) == "1.21"
    assert next_version("lenet5", [folder]) == "1.0"
