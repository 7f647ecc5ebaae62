"""Ways in which an archive in a model store can be spoiled, each with what the refusal says."""

from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.checksums import checksum_of, write_checksum


def cut(archive: Path):
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])


def flip_a_bit(archive: Path):
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)


def empty(archive: Path):
    archive.write_bytes(b"")
    write_checksum(archive)


def fill_with_noise(archive: Path):
    archive.write_bytes(b"noise" * 1000)
    write_checksum(archive)


def link(archive: Path):
    target = archive.rename(archive.with_suffix(".elsewhere"))
    archive.symlink_to(target)


def take_the_sum_away(archive: Path):
    checksum_of(archive).unlink()


def empty_the_sum(archive: Path):
    checksum_of(archive).write_text("")


SPOILED: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "cut": (cut, "changed or damaged"),
    "a flipped bit": (flip_a_bit, "changed or damaged"),
    "empty": (empty, "no archive of a model"),
    "noise": (fill_with_noise, "no archive of a model"),
    "a link": (link, "no file of its own"),
    "no sum": (take_the_sum_away, "no sha256 beside it"),
    "an empty sum": (empty_the_sum, "no sha256 beside it"),
}
