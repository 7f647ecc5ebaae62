"""The labelled pictures that a recogniser is measured on, encoded as a client would send them."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from handwriting.labels import LABELS, NORMAL_FORMS, merge_case
from training.data import data_dir, load_characters, title_of

PHOTOS = "photos-dev/photos-dev.zip"


@dataclass(frozen=True)
class LabelledPictures:
    """A test set.

    Attributes:
        title: what it is called in results.
        names: of the pictures, to find one again.
        pictures: encoded, or frames of (28, 28) uint8, 255 is ink.
        labels: the right ones, of the recogniser's own list.
    """

    title: str
    names: Sequence[str]
    pictures: Sequence[bytes] | np.ndarray
    labels: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Sequence[int]) -> "LabelledPictures":
        """Return the pictures in the given rows."""
        names, pictures, labels = ([values[row] for row in rows] for values in (self.names, self.pictures, self.labels))
        return LabelledPictures(self.title, names, pictures, labels)

    def __iter__(self) -> Iterator[bytes]:
        """Yield each picture as it is sent; a frame becomes a PNG of one channel."""
        return (picture if isinstance(picture, bytes) else png(picture) for picture in self.pictures)


def png(frame: np.ndarray) -> bytes:
    """Encode (28, 28) uint8 values as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def official_test(model: str, limit: int | None) -> LabelledPictures:
    """Load the official test set of a recogniser, or its first `limit` pictures.

    Raises:
        DataError: it is missing or not what it should be.
    """
    data_set = NORMAL_FORMS[model]
    characters = load_characters(data_set, "test").take(slice(limit))
    labels = [LABELS[model][index] for index in characters.labels]
    names = [f"{data_set} test {row}" for row in range(len(labels))]
    return LabelledPictures(title_of(data_set, "test"), names, characters.images, labels)


def photographs(model: str) -> LabelledPictures | None:
    """Load the photographed characters that the recogniser knows, case merged as its labels are; None without them."""
    path = data_dir() / PHOTOS
    if not path.exists():
        return None
    names, pictures, labels = [], [], []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            kind, _, character = name.split("/")[0].partition("_")  # digit_7/003.png, lower_a/000.png
            if not name.endswith(".png") or (kind != "digit" and len(LABELS[model]) == len(LABELS["digits"])):
                continue
            names.append(name)
            pictures.append(archive.read(name))
            labels.append(merge_case(character))
    return LabelledPictures("photographs", names, pictures, labels)
